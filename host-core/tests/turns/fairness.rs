//! Who is served next, and how long the others wait for it.

use crate::rig::*;
use host_core::config::HostConfig;
use host_core::id::{ServiceId, SocketId};
use host_core::service::kick::Callback::{Connect, Prepare, Receive};

#[test]
fn ph_c10_two_services_that_are_always_readable_alternate_strictly_one_dispatch_a_turn() {
    let mut rig = Rig::standing(quick(), 2);
    let mut order = String::new();
    rig.tell(readable(S0));
    rig.tell(readable(S1));
    let mut words = rig.tell(tick());
    let before = rig.host.turns();
    for _ in 0..6 {
        let service = if words.contains("receive a") { A } else { B };
        order.push_str(if service == A { "A" } else { "B" });
        assert_eq!(words.matches("receive").count(), 1);
        rig.tell(returns(service, Receive));
        words = rig.tell(returns(service, Prepare));
        if words.starts_with("wait") {
            rig.tell(readable(S0));
            rig.tell(readable(S1));
            words = rig.tell(tick());
        }
    }
    assert_eq!(order, "ABABAB");
    assert_eq!(rig.host.turns() - before, 6);
}

#[test]
fn ph_c10_whoever_was_served_goes_to_the_end_of_the_list_also_across_waits() {
    Rig::standing(quick(), 3).play([
        (readable(S1), "wait"),
        (tick(), "receive b s1 r"),
        (returns(B, Receive), "prepare b"),
        (returns(B, Prepare), "wait 50 period"),
        (readable(S1), "wait"),
        (readable(S2), "wait"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "receive c s2 r"),
        (returns(C, Receive), "prepare c"),
        (returns(C, Prepare), "receive b s1 r"),
    ]);
}

/// Gives `service` sockets in seats 10 and up, and reports all of them; the first is received.
fn crowd(rig: &mut Rig, service: ServiceId, sockets: u32) {
    rig.tell(readable(SocketId::new(service.number(), 0)));
    rig.tell(tick());
    (10..10 + sockets).for_each(|seat| drop(rig.tell(opened(SocketId::new(seat, 0), service))));
    rig.tell(returns(service, Receive));
    assert_eq!(rig.tell(returns(service, Prepare)), "wait 50 period");
    (10..10 + sockets).for_each(|seat| drop(rig.tell(readable(SocketId::new(seat, 0)))));
    rig.tell(tick());
}

/// Lets `A` serve what was reported until something else is ordered: how often it served, and what came.
fn serve(rig: &mut Rig) -> (u32, String) {
    for count in 1..100 {
        rig.tell(returns(A, Receive));
        let words = rig.tell(returns(A, Prepare));
        if !words.starts_with("receive a") {
            return (count, words);
        }
    }
    (100, "served without end".into())
}

#[test]
fn one_service_is_served_a_burst_at_most_before_the_host_looks_for_others() {
    let mut rig = Rig::standing(HostConfig { burst: 4, ..quick() }, 2);
    crowd(&mut rig, A, 10);
    assert_eq!(serve(&mut rig), (4, "look".into()));
    assert_eq!(rig.tell(tick()), "receive a s14 r", "nobody else has anything to do");
    assert_eq!(serve(&mut rig), (4, "look".into()));
    assert_eq!(rig.tell(readable(S1)), "");
    assert_eq!(rig.tell(tick()), "receive b s1 r", "the look found another");
    rig.tell(returns(B, Receive));
    assert_eq!(rig.tell(returns(B, Prepare)), "receive a s18 r");
    assert_eq!(serve(&mut rig), (2, "wait 50 period".into()));
}

#[test]
fn a_wait_is_a_look_so_that_a_burst_counts_from_it() {
    let mut rig = Rig::standing(HostConfig { burst: 2, ..quick() }, 2);
    for _ in 0..5 {
        rig.play([
            (readable(S0), "wait"),
            (tick(), "receive a s0 r"),
            (returns(A, Receive), "prepare a"),
            (returns(A, Prepare), "wait 50 period"),
        ]);
    }
    crowd(&mut rig, A, 2);
    assert_eq!(serve(&mut rig), (2, "wait 50 period".into()), "there is nothing left to serve");
}

#[test]
fn a_service_alone_is_served_without_a_look() {
    let mut rig = Rig::standing(HostConfig { burst: 2, ..quick() }, 1);
    crowd(&mut rig, A, 10);
    assert_eq!(serve(&mut rig), (10, "wait 50 period".into()));
}

#[test]
fn a_service_added_in_the_midst_of_a_burst_is_looked_for_in_time() {
    let mut rig = Rig::standing(HostConfig { burst: 2, ..quick() }, 1);
    crowd(&mut rig, A, 10);
    for _ in 0..3 {
        rig.play([(returns(A, Receive), "prepare a")]);
        assert!(rig.tell(returns(A, Prepare)).starts_with("receive a"));
    }
    rig.play([
        (added(), "tell b added"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "connect b"),
        (opened(S1, B), "watch s1 r"),
        (returns(B, Connect), "prepare b"),
        (returns(B, Prepare), "look"),
        (readable(S1), ""),
        // `A` was served before `B` came, so that it stands before it in the list, once.
        (tick(), "receive a s14 r"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "receive b s1 r"),
    ]);
}

#[test]
fn another_service_in_between_does_not_put_off_the_look() {
    let mut rig = Rig::standing(HostConfig { burst: 3, ..quick() }, 2);
    crowd(&mut rig, A, 6);
    // Two of three, then somebody else's turn, then the third.
    rig.tell(returns(A, Receive));
    rig.tell(returns(A, Prepare));
    rig.tell(readable(S1));
    rig.tell(returns(A, Receive));
    assert_eq!(rig.tell(returns(A, Prepare)), "receive b s1 r");
    rig.tell(returns(B, Receive));
    assert_eq!(rig.tell(returns(B, Prepare)), "receive a s12 r");
    assert_eq!(serve(&mut rig), (1, "look".into()));
}

#[test]
fn a_host_in_a_hurry_serves_what_is_ready_before_it_looks() {
    Rig::standing(quick(), 2).play([
        (readable(S0), "wait"),
        (readable(S1), "wait"),
        (tick(), "receive a s0 r"),
        (closed(S0), ""),
        (returns(A, Receive), "connect a"),
        (reconnect(A), ""),
        (not_yet(A), "receive b s1 r"),
        (returns(B, Receive), "connect a"),
        (not_yet(A), "prepare b"),
        (returns(B, Prepare), "wait 50 period"),
    ]);
}

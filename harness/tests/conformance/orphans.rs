//! What becomes of workers whose host dies: a child of the test is the host, and its child the worker.

use crate::arms::Case;
use crate::world::{BOUND, QUIT, World};
use host_core::sys::{
    Birth, Child, ChildNews, Errno, ExitStatus, Handle, Interest, OnHostDeath, Pid, Signal,
};
use std::time::Duration;

pub(crate) const CASES: &[Case] = cases![
    a_worker_that_is_to_exit_is_killed_with_its_host,
    a_worker_that_is_to_exit_is_killed_even_while_it_is_stopped,
    a_worker_that_is_to_drain_is_asked_to_quit_when_its_host_is_killed,
    a_worker_that_is_to_drain_is_asked_to_quit_when_its_host_exits,
    a_worker_that_is_to_drain_sees_it_while_it_computes,
    a_worker_that_does_not_drain_in_time_is_ended_by_its_alarm,
    a_worker_that_was_asked_to_quit_before_has_its_alarm_all_the_same,
    a_worker_may_be_orphaned_before_it_has_begun,
    a_whole_family_goes_with_its_head,
    k24_who_adopts_nobody_hears_nothing_of_orphans,
];

/// Cases whose process adopts orphans.
pub(crate) const CASES_OF_ADOPTERS: &[Case] = cases![
    k24_an_orphan_is_adopted_by_its_nearest_ancestor_who_does,
    k24_an_adopter_hears_of_the_end_of_an_orphan_that_drained,
];

/// Far longer than a worker takes that does drain.
const AMPLE: Duration = Duration::from_secs(30);
/// How long a worker may drain that does not.
const SHORT: Duration = Duration::from_millis(100);

/// What a host is born to do: it forks a worker with the other end of a channel, and then stays.
fn host(
    world: &World,
    (on_host_death, drain_timeout): (OnHostDeath, Duration),
    body: impl FnOnce(&World, Handle) -> u8 + 'static,
) -> (Child, Handle) {
    world.fork_on_line(&[], move |host, line| {
        let keep = [line];
        let birth = Birth { on_host_death, drain_timeout, ..host.birth(&keep) };
        host.fork_as(&birth, move |worker| body(worker, line));
        host.sys.close(line);
        host.stay()
    })
}

fn a_worker_that_is_to_exit_is_killed_with_its_host(world: &World) {
    let (host, line) = host(world, (OnHostDeath::Exit, AMPLE), |worker, line| {
        worker.write(line, b"ready");
        worker.spin()
    });
    world.hear(line, b"ready");
    world.quiet(line);
    world.kill(host);
    world.hear_end(line);
}

fn a_worker_that_is_to_exit_is_killed_even_while_it_is_stopped(world: &World) {
    let (host, line) = world.fork_on_line(&[], |host, line| {
        let told = host.news_handle();
        let worker = host.sleeper(&[line]);
        host.stop(told, worker);
        host.write(line, b"stopped");
        host.sys.close(line);
        host.stay()
    });
    world.hear(line, b"stopped");
    world.kill(host);
    world.hear_end(line);
}

/// Waits until it is asked to quit, says so, and does what it was about to do.
fn drain(worker: &World, line: Handle) -> u8 {
    worker.write(line, b"ready");
    let waited = worker.sys.wait_or_quit(line, Interest::READ, worker.deadline(AMPLE));
    assert_eq!(waited, Err(Errno::CANCELED));
    assert!(worker.sys.quit_asked());
    worker.write(line, b"asked");
    worker.obey(line, b"finish");
    worker.write(line, b"finished");
    0
}

fn a_worker_that_is_to_drain_is_asked_to_quit_when_its_host_is_killed(world: &World) {
    let (host, line) = host(world, (OnHostDeath::Drain, AMPLE), drain);
    world.hear(line, b"ready");
    world.kill(host);
    world.hear(line, b"asked");
    world.write(line, b"finish");
    world.hear(line, b"finished");
    world.hear_end(line);
}

fn a_worker_that_is_to_drain_is_asked_to_quit_when_its_host_exits(world: &World) {
    for signal in [Signal::Term, Signal::Quit] {
        let (host, line) = host(world, (OnHostDeath::Drain, AMPLE), drain);
        world.hear(line, b"ready");
        world.signal(host, signal);
        let status = if signal == Signal::Quit { QUIT } else { 0 };
        assert_eq!(world.end_of(host), ExitStatus::Code(status));
        world.hear(line, b"asked");
        world.write(line, b"finish");
        world.hear(line, b"finished");
        world.hear_end(line);
    }
}

fn a_worker_that_is_to_drain_sees_it_while_it_computes(world: &World) {
    let (host, line) = host(world, (OnHostDeath::Drain, AMPLE), |worker, line| {
        worker.write(line, b"ready");
        while !worker.sys.quit_asked() {
            worker.compute();
        }
        worker.write(line, b"asked");
        0
    });
    world.hear(line, b"ready");
    world.kill(host);
    world.hear(line, b"asked");
    world.hear_end(line);
}

fn a_worker_that_does_not_drain_in_time_is_ended_by_its_alarm(world: &World) {
    let (host, line) = host(world, (OnHostDeath::Drain, SHORT), |worker, line| {
        worker.write(line, b"ready");
        while !worker.sys.quit_asked() {
            worker.compute();
        }
        worker.write(line, b"asked");
        worker.spin()
    });
    world.hear(line, b"ready");
    let killed = world.sys.now();
    world.kill(host);
    world.hear(line, b"asked");
    world.hear_end(line);
    let later = world.sys.now().since(killed);
    assert!(later >= SHORT, "it was ended after {later:?}");
}

fn a_worker_that_was_asked_to_quit_before_has_its_alarm_all_the_same(world: &World) {
    let (host, line) = world.fork_on_line(&[], |host, line| {
        let keep = [line];
        let birth = Birth { on_host_death: OnHostDeath::Drain, drain_timeout: SHORT, ..host.birth(&keep) };
        let worker = host.fork_as(&birth, move |worker| {
            worker.write(line, b"ready");
            while !worker.sys.quit_asked() {
                worker.compute();
            }
            worker.write(line, b"asked");
            worker.spin()
        });
        host.sys.close(line);
        host.signal(worker, Signal::Quit);
        host.stay()
    });
    world.hear(line, b"ready");
    world.hear(line, b"asked");
    // Its host lives: it may take its time.
    assert_eq!(world.sys.wait(line, Interest::READ, world.deadline(SHORT * 2)), Err(Errno::TIMEDOUT));
    let killed = world.sys.now();
    world.kill(host);
    world.hear_end(line);
    assert!(world.sys.now().since(killed) >= SHORT);
}

fn a_worker_may_be_orphaned_before_it_has_begun(world: &World) {
    for policy in [OnHostDeath::Exit, OnHostDeath::Drain].repeat(5) {
        let (host, line) = world.fork_on_line(&[], move |host, line| {
            let keep = [line];
            let birth = Birth { on_host_death: policy, drain_timeout: AMPLE, ..host.birth(&keep) };
            host.fork_as(&birth, move |worker| {
                if policy == OnHostDeath::Exit {
                    worker.spin();
                }
                let quit = worker.sys.quit_handle().unwrap();
                let waited = worker.sys.wait_or_quit(quit, Interest::READ, worker.deadline(BOUND));
                assert!(waited.is_ok() && worker.sys.quit_asked(), "{waited:?}");
                worker.write(line, b"asked");
                0
            });
            0
        });
        assert_eq!(world.end_of(host), ExitStatus::Code(0));
        if policy == OnHostDeath::Drain {
            world.hear(line, b"asked");
        }
        world.hear_end(line);
        world.sys.close(line);
    }
}

fn a_whole_family_goes_with_its_head(world: &World) {
    fn generation(world: &World, line: Handle, left: u32) -> u8 {
        for _ in 0..u32::from(left > 0) * 2 {
            world.fork(&[line], move |child| generation(child, line, left - 1));
        }
        world.write(line, b"ready");
        world.spin()
    }
    let (head, line) = world.fork_on_line(&[], |head, line| generation(head, line, 2));
    for _ in 0..1 + 2 + 4 {
        world.hear(line, b"ready");
    }
    world.kill(head);
    world.hear_end(line);
}

fn k24_who_adopts_nobody_hears_nothing_of_orphans(world: &World) {
    let told = world.news_handle();
    let (host, line) = host(world, (OnHostDeath::Exit, AMPLE), |worker, line| {
        worker.write(line, b"ready");
        worker.spin()
    });
    world.hear(line, b"ready");
    world.kill(host);
    world.hear_end(line);
    assert_eq!(world.sys.signal_read(told), Ok(Signal::Chld), "of the host");
    world.quiet(told);
    assert_eq!(world.sys.child_news(true), None);
}

fn k24_an_orphan_is_adopted_by_its_nearest_ancestor_who_does(world: &World) {
    let told = world.news_handle();
    let (child, line) = world.fork_on_line(&[], |child, line| {
        let told = child.news_handle();
        let (host, near) = host(child, (OnHostDeath::Exit, AMPLE), |worker, line| {
            worker.write(line, &worker.sys.pid().0.to_le_bytes());
            worker.spin()
        });
        let worker = child.message(near);
        child.write(line, &worker);
        child.kill(host);
        child.hear_end(near);
        assert_eq!(child.sys.signal_read(told), Ok(Signal::Chld), "of the host");
        assert_eq!(child.sys.child_news(true), None, "this one adopts nobody");
        child.stay()
    });
    let worker = Pid(u32::from_le_bytes(world.message(line).try_into().unwrap()));
    assert_eq!(world.news(told, true), ChildNews::StrangerReaped(worker));
    world.kill(child);
}

fn k24_an_adopter_hears_of_the_end_of_an_orphan_that_drained(world: &World) {
    let told = world.news_handle();
    let (host, line) = host(world, (OnHostDeath::Drain, AMPLE), drain);
    world.hear(line, b"ready");
    world.kill(host);
    world.hear(line, b"asked");
    assert_eq!(world.sys.child_news(true), None, "it lives");
    world.write(line, b"finish");
    world.hear(line, b"finished");
    world.hear_end(line);
    assert!(matches!(world.news(told, true), ChildNews::StrangerReaped(_)));
    assert_eq!(world.sys.child_news(true), None);
}

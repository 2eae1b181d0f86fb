//! The snapshot of a host as JSON, for who shows it.

use harness::check;
use host_core::status::HostStatus;
use host_core::{App, Connected, Context, Fleet, Ready, Result, Service, Worker};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

type Seen = Rc<RefCell<Option<HostStatus>>>;

/// Looks at its host each second.
struct Observer(Seen);

impl Service for Observer {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        cx.wake_at(cx.now() + Duration::from_secs(1));
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }

    fn wake(&mut self, cx: &mut Context<'_>) -> Result {
        *self.0.borrow_mut() = Some(cx.status());
        cx.wake_at(cx.now() + Duration::from_secs(1));
        Ok(())
    }
}

/// The first worker of slot 1 fails.
fn body(worker: &mut Worker) -> Result {
    worker.wanted();
    if worker.id().slot.number() == 1 && worker.id().incarnation == 1 {
        return Err("cannot go on".into());
    }
    while worker.pause(Duration::from_secs(1)) {}
    Ok(())
}

#[test]
fn a_snapshot_of_the_whole_host_is_json_that_says_who_does_what_and_what_has_happened() {
    check!(|sim| {
        let seen = Seen::default();
        let shown = Rc::clone(&seen);
        sim.host(move || {
            let fleet =
                Fleet::new("pool").workers(2).memory_max(1 << 30).memory_period(Duration::from_secs(1));
            App::new("app").fleet(fleet.run(body)).service(Observer(Rc::clone(&shown)))
        });
        sim.run_for(Duration::from_secs(5));
        let status = seen.borrow().clone().unwrap();
        let value = serde_json::to_value(&status).unwrap();

        assert_eq!(value["at"], json!(status.at.as_nanos()));
        assert_eq!(value["stopping"], Value::Null);
        let services = json!([{
            "service": 0, "name": "Observer", "state": "Prepared", "connects": 1, "attempt": 0,
        }]);
        assert_eq!(value["services"], services);
        let fleet = &value["fleets"][0];
        assert_eq!(
            (&fleet["name"], &fleet["wanted"], &fleet["health"]),
            (&json!("pool"), &json!(2), &json!("Well"))
        );
        let workers: Vec<_> =
            fleet["workers"].as_array().unwrap().iter().map(|worker| &worker["worker"]).collect();
        let named = |slot, incarnation| json!({ "fleet": 0, "slot": slot, "incarnation": incarnation });
        assert_eq!(workers, [&named(0, 1), &named(1, 2)]);
        let worker = &fleet["workers"][0];
        assert_eq!(
            (&worker["state"], &worker["connections"], &worker["memory"]),
            (&json!("Ready"), &json!(0), &json!(4 << 20))
        );
        let death = &fleet["deaths"][0];
        assert_eq!((&death["status"], &death["intent"]), (&json!({ "Code": 70 }), &Value::Null));
        let counters = &fleet["counters"];
        assert_eq!(
            (&counters["spawned"], &counters["ready"], &counters["died_unasked"]),
            (&json!(3), &json!(3), &json!(1))
        );
        assert_eq!(status.fleets[0].counters.died(), 1);
    });
}

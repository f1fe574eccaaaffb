use serde_json::{Value, json};

use super::bench::{Bench, meter};
use crate::{DeciAmperes, EvseSession, Input};

/// The frames that a central system sent to a charge point which ignored the last three.
fn field_frame(id: &str, start: &str, limit: u32) -> String {
    format!(
        r#"[2,"{id}","SetChargingProfile",{{"connectorId":1,"csChargingProfiles":{{"chargingProfileId":0,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{{"startSchedule":"{start}","chargingRateUnit":"A","chargingSchedulePeriod":[{{"startPeriod":0,"limit":{limit}}}]}}}}}}]"#
    )
}

fn profile(purpose: &str, limit: f64) -> Value {
    json!({
        "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": purpose, "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]},
    })
}

fn set(bench: &mut Bench, connector: i64, profile: &Value) -> String {
    bench.status(
        "SetChargingProfile",
        json!({"connectorId": connector, "csChargingProfiles": profile}),
    )
}

// covers: OSM-004, OSM-005, OSM-009, OSM-011, OSM-012, OSM-013, OSM-014, OSM-018
#[test]
fn the_frames_of_the_field_report_take_effect_at_once() {
    let mut bench = Bench::online();
    bench.charge();
    for (id, start, limit) in [
        ("985694111", "2025-10-01T13:11:42Z", 6),
        ("2830474359", "2025-10-01T13:11:44Z", 6),
        ("834255345", "2025-10-01T13:14:28Z", 7),
        ("1278809386", "2025-10-01T13:16:01Z", 11),
        ("2289839452", "2025-10-01T13:18:09Z", 0),
        ("2289839453", "2025-10-01T13:19:09Z", 11),
    ] {
        let answer = bench.call_frame(&field_frame(id, start, limit));
        assert_eq!(answer, json!([3, id, {"status": "Accepted"}]));
        assert_eq!(bench.limit, Some(DeciAmperes(limit * 10)), "{limit} A");
        let session = if limit < 6 {
            EvseSession::SuspendedEvse
        } else {
            EvseSession::Charging
        };
        bench.evse(session);
        bench.drain();
        assert_eq!(
            (bench.permit, bench.stored.transactions.len()),
            (Some(true), 1),
            "the transaction goes on"
        );
    }
}

// covers: OSM-001, OSM-002, OSM-003
#[test]
fn each_purpose_has_its_connector_and_moment() {
    for (purpose, connector, charging, expected) in [
        ("ChargePointMaxProfile", 0, false, "Accepted"),
        ("ChargePointMaxProfile", 1, false, "Rejected"),
        ("TxDefaultProfile", 0, false, "Accepted"),
        ("TxDefaultProfile", 1, false, "Accepted"),
        ("TxProfile", 1, false, "Rejected"),
        ("TxProfile", 1, true, "Accepted"),
        ("TxProfile", 0, true, "Rejected"),
    ] {
        let mut bench = Bench::online();
        if charging {
            bench.charge();
        }
        assert_eq!(
            set(&mut bench, connector, &profile(purpose, 10.0)),
            expected,
            "{purpose} {connector}"
        );
        assert_eq!(
            bench.limit,
            (expected == "Accepted").then_some(DeciAmperes(100))
        );
    }
}

#[test]
fn a_tx_profile_belongs_to_its_transaction() {
    let mut bench = Bench::online();
    bench.charge();
    let mut tx = profile("TxProfile", 10.0);
    tx["transactionId"] = json!(8);
    assert_eq!(set(&mut bench, 1, &tx), "Rejected");
    tx["transactionId"] = json!(7);
    assert_eq!(set(&mut bench, 1, &tx), "Accepted");
    assert_eq!(bench.limit, Some(DeciAmperes(100)));
    bench.evse(EvseSession::Idle);
    bench.pass(3);
    assert_eq!(bench.limit, None);
}

// covers: OC-033
#[test]
fn a_profile_comes_with_the_remote_start() {
    let mut bench = Bench::online();
    let payload = json!({"idTag": "x", "chargingProfile": profile("TxProfile", 8.0)});
    assert_eq!(bench.status("RemoteStartTransaction", payload), "Accepted");
    bench.evse(EvseSession::Charging);
    assert_eq!(bench.limit, Some(DeciAmperes(80)));
    bench.drain();
    bench.evse(EvseSession::Idle);
    bench.pass(3);
    assert_eq!(bench.limit, None);
    bench.drain();
    let payload = json!({"idTag": "x", "chargingProfile": profile("TxDefaultProfile", 8.0)});
    assert_eq!(bench.status("RemoteStartTransaction", payload), "Rejected");
}

#[test]
fn an_unknown_connector_is_a_property_constraint_violation() {
    let mut bench = Bench::online();
    for (action, payload) in [
        (
            "SetChargingProfile",
            json!({"connectorId": 2, "csChargingProfiles": profile("TxDefaultProfile", 6.0)}),
        ),
        (
            "GetCompositeSchedule",
            json!({"connectorId": -1, "duration": 60}),
        ),
        (
            "GetCompositeSchedule",
            json!({"connectorId": 1, "duration": -1}),
        ),
    ] {
        let answer = bench.call_frame(&json!([2, "a", action, payload]).to_string());
        assert_eq!(
            (&answer[0], &answer[2]),
            (&json!(4), &json!("PropertyConstraintViolation")),
            "{answer}"
        );
    }
}

// covers: OSM-017, OSM-019
#[test]
fn more_periods_than_advertised_are_rejected_with_a_valid_status() {
    let mut bench = Bench::online();
    let mut two = profile("TxDefaultProfile", 6.0);
    two["chargingSchedule"]["chargingSchedulePeriod"] =
        json!([{"startPeriod": 0, "limit": 6}, {"startPeriod": 60, "limit": 10}]);
    assert_eq!(set(&mut bench, 1, &two), "Rejected");
    assert_eq!(bench.limit, None);
}

#[test]
fn limits_begin_and_end_on_time() {
    let mut bench = Bench::online();
    let mut later = profile("TxDefaultProfile", 6.0);
    later["chargingProfileKind"] = json!("Absolute");
    later["chargingSchedule"]["startSchedule"] = json!(bench.wall().plus_seconds(30).to_string());
    later["chargingSchedule"]["duration"] = json!(60);
    assert_eq!(set(&mut bench, 1, &later), "Accepted");
    bench.pass(29);
    assert_eq!(bench.limit, None);
    bench.pass(1);
    assert_eq!(bench.limit, Some(DeciAmperes(60)));
    bench.pass(60);
    assert_eq!(bench.limit, None);
}

// covers: OSM-024, OSM-025, OSM-026, OSM-027
#[test]
fn profiles_are_saved_once_a_minute_and_lasting_ones_hold_after_a_power_loss() {
    let mut bench = Bench::online();
    bench.charge();
    let max = profile("ChargePointMaxProfile", 16.0);
    set(&mut bench, 0, &max);
    let mut tx = profile("TxProfile", 8.0);
    tx["chargingProfileId"] = json!(2);
    set(&mut bench, 1, &tx);
    bench.pass(59);
    assert_eq!(bench.stored.profiles.len(), 0);
    set(&mut bench, 0, &max);
    bench.pass(1);
    assert_eq!(bench.stored.profiles.len(), 2);
    let mut after = bench.new_process();
    after.input(Input::Reading(meter(2_000)));
    after.evse(EvseSession::Idle);
    assert_eq!(after.limit, Some(DeciAmperes(160)));
    assert_eq!(after.stored.profiles.len(), 1, "it does not come back");
}

#[test]
fn a_limit_of_a_transaction_holds_when_it_goes_on_after_a_restart() {
    let mut bench = Bench::online();
    bench.charge();
    set(&mut bench, 1, &profile("TxProfile", 8.0));
    bench.pass(60);
    let mut bench = bench.restart();
    assert_eq!(bench.limit, Some(DeciAmperes(80)));
    bench.input(Input::Reading(meter(2_000)));
    bench.evse(EvseSession::Idle);
    bench.pass(3);
    assert_eq!(bench.stored.profiles.len(), 0);
    assert_eq!(bench.limit, None);
}

#[test]
fn a_profile_of_a_start_that_came_to_nothing_does_not_come_back() {
    let mut bench = Bench::configured(&[("ConnectionTimeOut", "100")]);
    bench.connect();
    let mut start = json!({"idTag": "x"});
    start["chargingProfile"] = profile("TxProfile", 8.0);
    assert_eq!(bench.status("RemoteStartTransaction", start), "Accepted");
    bench.pass(60);
    assert_eq!(bench.stored.profiles.len(), 1);
    assert_eq!(bench.restart().limit, None, "there is no transaction");
    bench.pass(40);
    assert_eq!(bench.permit, Some(false));
    assert_eq!(bench.stored.profiles.len(), 0);
}

// covers: OSM-028
#[test]
fn clearing_frees_the_limit_at_once() {
    let mut bench = Bench::online();
    set(&mut bench, 1, &profile("TxDefaultProfile", 6.0));
    assert_eq!(
        bench.status("ClearChargingProfile", json!({"stackLevel": 1})),
        "Unknown"
    );
    assert_eq!(
        bench.status("ClearChargingProfile", json!({"stackLevel": 0})),
        "Accepted"
    );
    assert_eq!(bench.limit, None);
    assert_eq!(bench.status("ClearChargingProfile", json!({})), "Unknown");
}

// covers: OSM-032, OSM-033
#[test]
fn the_composite_schedule_is_the_limit_in_force() {
    let mut bench = Bench::online();
    set(&mut bench, 1, &profile("TxDefaultProfile", 11.0));
    let answer = bench.call(
        "GetCompositeSchedule",
        json!({"connectorId": 1, "duration": 60}),
    );
    assert_eq!(
        answer["chargingSchedule"]["chargingSchedulePeriod"],
        json!([{"startPeriod": 0, "limit": 11.0}])
    );
    let watts = bench.call(
        "GetCompositeSchedule",
        json!({"connectorId": 1, "duration": 60, "chargingRateUnit": "W"}),
    );
    assert_eq!(
        watts["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"],
        json!(7590.0)
    );
    let mut in_watts = profile("TxDefaultProfile", 7_590.0);
    in_watts["chargingSchedule"]["chargingRateUnit"] = json!("W");
    assert_eq!(set(&mut bench, 1, &in_watts), "Accepted");
    assert_eq!(bench.limit, Some(DeciAmperes(110)));
}

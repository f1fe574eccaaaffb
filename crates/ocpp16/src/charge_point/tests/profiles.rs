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
    let keys = json!({"key": ["ChargingScheduleMaxPeriods"]});
    let advertised = bench.call("GetConfiguration", keys)["configurationKey"][0]["value"].clone();
    let most: u64 = advertised.as_str().unwrap().parse().unwrap();
    let mut long = profile("TxDefaultProfile", 6.0);
    let periods = |count| -> Vec<Value> {
        (0..count)
            .map(|n| json!({"startPeriod": n * 900, "limit": 6}))
            .collect()
    };
    long["chargingSchedule"]["chargingSchedulePeriod"] = json!(periods(most + 1));
    assert_eq!(set(&mut bench, 1, &long), "Rejected");
    assert_eq!(bench.limit, None);
    long["chargingSchedule"]["chargingSchedulePeriod"] = json!(periods(most));
    assert_eq!(set(&mut bench, 1, &long), "Accepted");
    assert_eq!(bench.limit, Some(DeciAmperes(60)));
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
    // 0.1 A is 69 W: what was given in W is told in W as it was.
    let mut in_watts = profile("TxDefaultProfile", 7_600.0);
    in_watts["chargingSchedule"]["chargingRateUnit"] = json!("W");
    in_watts["chargingSchedule"]["chargingSchedulePeriod"] =
        json!([{"startPeriod": 0, "limit": 7_600}, {"startPeriod": 30, "limit": 7_610}]);
    assert_eq!(set(&mut bench, 1, &in_watts), "Accepted");
    assert_eq!(bench.limit, Some(DeciAmperes(110)));
    bench.pass(60);
    for mut bench in [bench.restart(), bench] {
        bench.connect_again();
        for (unit, limits) in [("W", &[7_600.0, 7_610.0][..]), ("A", &[11.0])] {
            let request = json!({"connectorId": 1, "duration": 60, "chargingRateUnit": unit});
            let answer = bench.call("GetCompositeSchedule", request);
            let told = &answer["chargingSchedule"]["chargingSchedulePeriod"];
            let told: Vec<f64> = told
                .as_array()
                .unwrap()
                .iter()
                .map(|period| period["limit"].as_f64().unwrap())
                .collect();
            assert_eq!(told, limits, "{answer}");
        }
    }
}

/// A quarter of an hour each at 16 A, 5 A and 10 A, then 16 A again.
fn four_quarters(kind: &str) -> Value {
    let mut profile = profile("TxDefaultProfile", 16.0);
    profile["chargingProfileKind"] = json!(kind);
    profile["chargingSchedule"]["minChargingRate"] = json!(6.0);
    profile["chargingSchedule"]["chargingSchedulePeriod"] = json!([
        {"startPeriod": 0, "limit": 16}, {"startPeriod": 900, "limit": 5},
        {"startPeriod": 1800, "limit": 10}, {"startPeriod": 2700, "limit": 16},
    ]);
    profile
}

// covers: OSM-016
#[test]
fn each_period_begins_exactly_at_its_border() {
    for kind in ["Absolute", "Relative"] {
        let mut bench = Bench::online();
        let mut profile = four_quarters(kind);
        if kind == "Absolute" {
            profile["chargingSchedule"]["startSchedule"] = json!(bench.wall().to_string());
        }
        bench.charge();
        assert_eq!(set(&mut bench, 1, &profile), "Accepted");
        for (before, after) in [(160, 50), (50, 100), (100, 160)] {
            bench.pass(899);
            assert_eq!(bench.limit, Some(DeciAmperes(before)), "{kind}");
            bench.pass(1);
            assert_eq!(bench.limit, Some(DeciAmperes(after)), "{kind}");
        }
    }
}

// covers: OSM-014
#[test]
fn a_period_below_6_a_suspends_and_the_transaction_goes_on() {
    let mut bench = Bench::online();
    bench.charge();
    set(&mut bench, 1, &four_quarters("Relative"));
    bench.pass(900);
    bench.drain();
    bench.evse(EvseSession::SuspendedEvse);
    assert_eq!(bench.reported(), ["SuspendedEVSE"]);
    bench.pass(900);
    bench.drain();
    bench.evse(EvseSession::Charging);
    assert_eq!(bench.reported(), ["Charging"]);
    assert_eq!(
        (bench.permit, bench.stored.transactions.len()),
        (Some(true), 1)
    );
}

#[test]
fn a_relative_schedule_does_not_jump_with_the_clock() {
    let mut bench = Bench::online();
    bench.charge();
    set(&mut bench, 1, &four_quarters("Relative"));
    bench.pass(600);
    for hours in [24 * 365, -2, 0] {
        bench.wall_at_zero = Some(super::bench::start_of_time().plus_seconds(hours * 3_600));
        bench.input(Input::Tick);
        assert_eq!(bench.limit, Some(DeciAmperes(160)), "{hours}");
    }
    bench.pass(300);
    assert_eq!(bench.limit, Some(DeciAmperes(50)));
}

// covers: OSM-032
#[test]
fn the_composite_schedule_knows_cable_and_periods() {
    let mut bench = Bench::online();
    bench.charge();
    bench.station(|station| station.physical = Some(DeciAmperes(130)));
    let start = bench.wall();
    set(&mut bench, 1, &four_quarters("Relative"));
    for (unit, limits) in [
        ("A", [13.0, 5.0, 10.0, 13.0]),
        ("W", [8_970.0, 3_450.0, 6_900.0, 8_970.0]),
    ] {
        let asked = json!({"connectorId": 1, "duration": 3600, "chargingRateUnit": unit});
        let answer = bench.call("GetCompositeSchedule", asked);
        let periods: Vec<Value> = [0, 900, 1_800, 2_700]
            .into_iter()
            .zip(limits)
            .map(|(start, limit)| json!({"startPeriod": start, "limit": limit}))
            .collect();
        let schedule = json!({"duration": 3600, "startSchedule": start.to_string(),
            "chargingRateUnit": unit, "chargingSchedulePeriod": periods});
        assert_eq!(answer["chargingSchedule"], schedule);
    }
}

#[test]
fn a_later_tx_profile_replaces_the_one_of_the_remote_start() {
    let mut bench = Bench::online();
    let payload = json!({"idTag": "x", "chargingProfile": profile("TxProfile", 8.0)});
    assert_eq!(bench.status("RemoteStartTransaction", payload), "Accepted");
    bench.evse(EvseSession::Charging);
    bench.drain();
    let mut later = profile("TxProfile", 12.0);
    later["chargingProfileId"] = json!(2);
    later["transactionId"] = json!(7);
    assert_eq!(set(&mut bench, 1, &later), "Accepted");
    assert_eq!(bench.limit, Some(DeciAmperes(120)));
    bench.status("ClearChargingProfile", json!({"id": 2}));
    assert_eq!(bench.limit, None, "the first one is gone");
}

#[test]
fn all_periods_survive_a_power_loss() {
    let mut bench = Bench::online();
    let mut profile = four_quarters("Absolute");
    profile["chargingSchedule"]["startSchedule"] = json!(bench.wall().to_string());
    set(&mut bench, 1, &profile);
    bench.pass(60);
    let mut after = bench.restart();
    for limit in [50, 100, 160] {
        after.pass(900);
        assert_eq!(after.limit, Some(DeciAmperes(limit)));
    }
}

// covers: OSM-031, PH-022
#[test]
fn current_offered_is_the_limit_in_force_on_the_phases_in_use() {
    let mut bench =
        Bench::configured(&[("MeterValuesSampledData", "Current.Offered,Power.Offered")]);
    bench.connect();
    bench.charge();
    set(&mut bench, 1, &profile("TxDefaultProfile", 7.0));
    for (phases, amperes, watts) in [(1, "7.0", "1610"), (3, "21.0", "4830")] {
        bench.station(|station| station.phases = Some(phases));
        bench.status("TriggerMessage", json!({"requestedMessage": "MeterValues"}));
        let values =
            bench.answer("MeterValues", json!({}))["meterValue"][0]["sampledValue"].clone();
        let shown: Vec<&str> = [0, 1].map(|n| values[n]["value"].as_str().unwrap()).into();
        assert_eq!(shown, [amperes, watts]);
    }
}

// covers: OSM-034
#[test]
fn a_limit_that_the_evse_does_not_follow_is_an_error() {
    let mut bench = Bench::online();
    bench.charge();
    bench.evse_follows = false;
    set(&mut bench, 1, &profile("TxDefaultProfile", 7.0));
    bench.pass(9);
    bench.expect_silence();
    bench.pass(1);
    let told = bench.answer("StatusNotification", json!({}));
    assert_eq!(
        (
            &told["errorCode"],
            &told["vendorErrorCode"],
            &told["status"]
        ),
        (
            &json!("OtherError"),
            &json!("ChargingLimitNotApplied"),
            &json!("Charging")
        )
    );
    bench.station(|station| station.offered = DeciAmperes(70));
    let told = bench.answer("StatusNotification", json!({}));
    assert_eq!(told["errorCode"], json!("NoError"));
}

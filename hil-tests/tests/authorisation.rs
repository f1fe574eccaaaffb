//! Who may charge, told by a central system that is not ours: by list while it is away, and by
//! reservation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use hil_tests::{Bench, LATER, PythonCentralSystem, SOON, Settings, trace_directory};
use serde_json::{Value, json};

const SESSION: &str = "port0/session/state";
const RESULT: &str = "port0/session/authorization_result";
const RESERVED: &str = "port0/session/reserved";
const LISTED: &str = "04A1B2C3D4";
const OWNER: &str = "04A1B2C3D5";
const STRANGER: &str = "0BADCAFE";

fn status(central: &PythonCentralSystem, expected: &str) {
    let fits = |event: &Value| {
        event["payload"]["connectorId"] == 1 && event["payload"]["status"] == expected
    };
    central.expect("status", fits, LATER);
}

fn accepted(central: &mut PythonCentralSystem, action: &str, payload: Value) {
    let answer = central.call(action, payload, SOON);
    assert_eq!(answer, json!({"status": "Accepted"}), "{action}");
}

/// A card that is refused: the user is told, and nothing starts.
fn refused(bench: &Bench, uid: &str) {
    bench.observer.forget();
    bench.swipe(uid);
    bench.expect(RESULT, "rejected", SOON);
    assert_ne!(bench.observer.text(SESSION).as_deref(), Some("charging"));
}

// covers: OLA-001, OO-007, OO-008, AUTH-002
#[test]
fn the_list_decides_offline_and_a_reservation_online() {
    let mut central = PythonCentralSystem::start(&trace_directory(), &[]);
    let uri = central.uri();
    let bench = Bench::start(&Settings::default().with_central_system(&uri));
    status(&central, "Available");
    let users = json!([{"idTag": LISTED, "idTagInfo": {"status": "Accepted"}}]);
    let list = json!({"listVersion": 4, "updateType": "Full", "localAuthorizationList": users});
    accepted(&mut central, "SendLocalList", list);
    let version = central.call("GetLocalListVersion", json!({}), SOON);
    assert_eq!(version, json!({"listVersion": 4}));

    assert_eq!(central.complaints(), [""; 0]);
    drop(central);
    bench.expect("ocpp/online", "0", SOON);
    bench.plug_in();
    bench.expect(SESSION, "connected", SOON);
    refused(&bench, STRANGER);
    bench.swipe(LISTED);
    bench.expect(SESSION, "charging", LATER);
    bench.unplug();
    bench.expect(SESSION, "idle", LATER);

    let port = uri.trim_start_matches("ws://127.0.0.1:");
    let port = port.trim_end_matches("/ocpp");
    let mut central = PythonCentralSystem::start(&trace_directory(), &["--port", port]);
    let start = central.expect("start", |_| true, LATER);
    assert_eq!(start["payload"]["idTag"], LISTED);
    central.expect("stop", |_| true, LATER);

    let reservation = json!({"reservationId": 7, "connectorId": 1, "idTag": OWNER,
        "expiryDate": "2099-01-01T00:00:00Z"});
    accepted(&mut central, "ReserveNow", reservation);
    status(&central, "Reserved");
    bench.expect(RESERVED, "1", SOON);
    refused(&bench, STRANGER);
    // Known by the list, but not the one who reserved.
    refused(&bench, LISTED);
    central.mark();
    bench.swipe(OWNER);
    bench.expect(RESULT, "accepted", SOON);
    bench.plug_in();
    bench.expect(SESSION, "charging", LATER);
    let start = central.expect("start", |_| true, LATER);
    assert_eq!(start["payload"]["idTag"], OWNER);
    assert_eq!(start["payload"]["reservationId"], 7);
    bench.expect(RESERVED, "0", SOON);
    assert_eq!(central.complaints(), [""; 0]);
}

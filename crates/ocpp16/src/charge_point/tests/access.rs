//! How the station connects: SecurityProfile and AuthorizationKey.

use serde_json::json;

use super::bench::start_of_time;
use super::security::{
    KEY, OTHER_KEY, change, connects, installed, logged, password, reopen, station,
};
use crate::Input;
use crate::security::{Access, SecurityEventKind, SecuritySettings};

#[test]
fn a_profile_is_only_raised_and_only_when_it_can_work() {
    let until = Some(start_of_time().plus_seconds(86_400 * 365));
    let keyed: &[(&str, &str)] = &[("AuthorizationKey", KEY)];
    let profile_2: &[(&str, &str)] = &[("AuthorizationKey", KEY), ("SecurityProfile", "2")];
    for (keys, roots, until, wanted, answer) in [
        (&[][..], 1, until, "1", "Rejected"),
        (&[], 1, until, "2", "Rejected"),
        (keyed, 0, None, "1", "Accepted"),
        (keyed, 0, None, "2", "Rejected"),
        (keyed, 1, None, "2", "Accepted"),
        (keyed, 1, None, "3", "Rejected"),
        (keyed, 0, until, "3", "Rejected"),
        (&[], 1, until, "3", "Accepted"),
        (keyed, 1, until, "4", "Rejected"),
        (profile_2, 1, until, "0", "Rejected"),
        (profile_2, 1, until, "1", "Rejected"),
        (profile_2, 1, until, "2", "Accepted"),
    ] {
        let mut bench = station(keys, installed(roots, until));
        let name = format!("{keys:?} {roots} {until:?}: {wanted}");
        assert_eq!(
            change(&mut bench, "SecurityProfile", wanted),
            answer,
            "{name}"
        );
        let unchanged = keys.contains(&("SecurityProfile", wanted));
        let expected = usize::from(answer == "Accepted" && !unchanged);
        assert_eq!(connects(&mut bench).len(), expected, "{name}");
    }
}

#[test]
fn a_password_in_the_address_is_one_for_the_profiles_too() {
    let security = SecuritySettings {
        password_in_uri: true,
        ..installed(1, None)
    };
    let mut bench = station(&[], security);
    assert_eq!(bench.point.access().password, None, "it is in the address");
    assert_eq!(change(&mut bench, "SecurityProfile", "2"), "Accepted");
}

#[test]
fn a_change_holds_once_it_has_connected() {
    let mut bench = station(&[("AuthorizationKey", KEY)], installed(1, None));
    assert_eq!(change(&mut bench, "SecurityProfile", "2"), "Accepted");
    let expected = Access {
        profile: 2,
        password: password(KEY),
    };
    assert_eq!(connects(&mut bench), std::slice::from_ref(&expected));
    assert!(bench.configured.is_empty(), "not proven yet");
    assert_eq!(
        change(&mut bench, "SecurityProfile", "2"),
        "Rejected",
        "one at a time"
    );
    reopen(&mut bench);
    assert_eq!(bench.configured, [("SecurityProfile", "2".to_owned())]);
    assert_eq!(bench.point.access(), expected);
    assert!(logged(&bench).contains(&SecurityEventKind::ReconfigurationOfSecurityParameters));
}

#[test]
fn a_change_that_does_not_connect_is_taken_back() {
    let mut bench = station(&[("AuthorizationKey", KEY)], installed(1, None));
    change(&mut bench, "SecurityProfile", "2");
    bench.input(Input::SocketClosed);
    assert_eq!(connects(&mut bench).len(), 1);
    for attempt in 1..=2 {
        bench.input(Input::ConnectionFailed(None));
        assert_eq!(connects(&mut bench), [], "attempt {attempt}");
    }
    bench.input(Input::ConnectionFailed(None));
    let before = Access {
        profile: 0,
        password: None,
    };
    assert_eq!(connects(&mut bench), std::slice::from_ref(&before));
    // Who is out of reach now may want the new one: they take turns.
    bench.input(Input::ConnectionFailed(None));
    assert_eq!(connects(&mut bench)[0].profile, 2);
    for _ in 0..3 {
        bench.input(Input::ConnectionFailed(None));
    }
    bench.open();
    assert_eq!(bench.configured, [("SecurityProfile", "0".to_owned())]);
    assert_eq!(bench.stored.tried, None);
    assert_eq!(bench.point.access(), before);
    assert_eq!(
        change(&mut bench, "SecurityProfile", "2"),
        "Accepted",
        "again"
    );
}

#[test]
fn only_the_way_by_which_a_connection_was_opened_is_proven() {
    let by = |key| Access {
        profile: 1,
        password: password(key),
    };
    // The other way's turn came while an attempt was under way.
    for (failures, opened, wanted) in [(0, KEY, OTHER_KEY), (3, OTHER_KEY, KEY)] {
        let mut bench = station(&IN_USE, SecuritySettings::default());
        change(&mut bench, "AuthorizationKey", OTHER_KEY);
        bench.input(Input::SocketClosed);
        for _ in 0..failures {
            bench.input(Input::ConnectionFailed(None));
        }
        connects(&mut bench);
        bench.input(Input::SocketOpened(by(opened)));
        assert_eq!(bench.configured, [], "nothing is decided");
        assert_eq!(
            connects(&mut bench),
            [by(wanted)],
            "it is still to be tried"
        );
        reopen(&mut bench);
        let key = ("AuthorizationKey", wanted.to_owned());
        assert_eq!(bench.configured, [key]);
        assert_eq!(connects(&mut bench), []);
    }
}

// Defect 48 of the field: a new key was not used.
#[test]
fn a_new_authorization_key_is_used_at_once() {
    let keys = [("AuthorizationKey", KEY), ("SecurityProfile", "1")];
    let mut bench = station(&keys, SecuritySettings::default());
    assert_eq!(
        change(&mut bench, "AuthorizationKey", OTHER_KEY),
        "Accepted"
    );
    let access = connects(&mut bench);
    assert_eq!(access[0].password, password(OTHER_KEY));
    reopen(&mut bench);
    assert_eq!(
        bench.configured,
        [("AuthorizationKey", OTHER_KEY.to_owned())]
    );
    for wrong in ["", "short", &KEY[..31], "not sixteen bytes in hexadecimal"] {
        assert_eq!(
            change(&mut bench, "AuthorizationKey", wrong),
            "Rejected",
            "{wrong}"
        );
    }
}

const IN_USE: [(&str, &str); 2] = [("AuthorizationKey", KEY), ("SecurityProfile", "1")];

#[test]
fn a_restart_during_a_trial_loses_neither_key() {
    for (refused, holds) in [(0, OTHER_KEY), (3, KEY)] {
        let mut bench = station(&IN_USE, SecuritySettings::default());
        change(&mut bench, "AuthorizationKey", OTHER_KEY);
        bench.configured = IN_USE
            .map(|(name, value)| (name, value.to_owned()))
            .to_vec();
        let mut bench = bench.restart();
        assert_eq!(bench.point.access().password, password(OTHER_KEY));
        for _ in 0..refused {
            bench.input(Input::ConnectionFailed(None));
        }
        bench.open();
        assert_eq!(bench.point.access().password, password(holds));
        assert_eq!(bench.stored.tried, None);
        let bench = bench.restart();
        assert_eq!(bench.point.access().password, password(holds));
    }
}

#[test]
fn a_proven_key_is_written_until_it_is_durable() {
    let mut bench = station(&IN_USE, SecuritySettings::default());
    change(&mut bench, "AuthorizationKey", OTHER_KEY);
    bench.writer = Some(false);
    reopen(&mut bench);
    assert_eq!(bench.point.access().password, password(OTHER_KEY));
    assert_eq!(change(&mut bench, "AuthorizationKey", KEY), "Rejected");
    bench.pass(30);
    assert_eq!(bench.configured, []);
    assert!(bench.stored.tried.is_some(), "a restart tries it again");
    bench.writer = Some(true);
    bench.pass(30);
    assert_eq!(
        bench.configured,
        [("AuthorizationKey", OTHER_KEY.to_owned())]
    );
    assert_eq!(change(&mut bench, "AuthorizationKey", KEY), "Accepted");
}

#[test]
fn a_key_that_no_connection_uses_is_only_kept() {
    let mut bench = station(&[], SecuritySettings::default());
    assert_eq!(change(&mut bench, "AuthorizationKey", KEY), "Accepted");
    assert_eq!(connects(&mut bench), []);
    assert_eq!(bench.configured, [("AuthorizationKey", KEY.to_owned())]);
}

#[test]
fn the_authorization_key_is_never_told() {
    let mut bench = station(&[("AuthorizationKey", KEY)], SecuritySettings::default());
    let keys = json!({"key": ["AuthorizationKey"]});
    let report = bench.call("GetConfiguration", keys);
    assert_eq!(
        report,
        json!({"configurationKey": [{"key": "AuthorizationKey", "readonly": false}]})
    );
    change(&mut bench, "AuthorizationKey", OTHER_KEY);
    change(&mut bench, "AuthorizationKey", "a wrong secret");
    let shown = format!("{:?} {:?}", bench.others, bench.sent);
    for secret in [KEY, OTHER_KEY, "wrong secret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

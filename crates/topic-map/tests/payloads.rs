//! Every payload type: what it writes it reads again, and no garbage makes it panic.

use topic_map::*;

/// Payloads that reach a daemon from broken or hostile clients.
fn garbage() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        "",
        "\0",
        " ",
        "\n",
        "-",
        "+",
        ".",
        ",",
        "-0",
        "--1",
        "1,5",
        "20,0",
        "NaN",
        "nan",
        "inf",
        "-inf",
        "1e9",
        "1e999",
        "0x10",
        "00",
        "1.",
        ".1",
        "-1.5",
        "-2",
        "99999999999999999999",
        "999999999999.9",
        "100.01",
        "true",
        "null",
        "{}",
        "[]",
        "[[",
        "\"",
        "{\"a\":",
        "ä",
        "٣",
        "[2]",
        "[3,\"\",{}]",
        "[4,1,2,3,4]",
        "{\"Multiplier\":1e9,\"Value\":1}",
        "2023-02-30T00:00:00Z",
        "\u{feff}1",
    ]
    .into_iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    all.extend([
        vec![0xFF],
        vec![0xC3, 0x28],
        vec![0; 1000],
        vec![b'['; 100_000],
    ]);
    all.push(vec![b'9'; 1_000_000]);
    // Each one of the above cut and mutated by a fixed pseudo-random sequence.
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    for _ in 0..2_000 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let length = usize::from(random.to_le_bytes()[7] % 12);
        all.push(
            random
                .to_le_bytes()
                .iter()
                .cycle()
                .take(length)
                .copied()
                .collect(),
        );
    }
    all
}

/// Decodes all garbage; what is taken must read the same again.
fn survives<T: Payload + PartialEq + std::fmt::Debug>() {
    for payload in garbage() {
        match T::decode(&payload) {
            Ok(value) => assert_eq!(T::decode(value.encode().as_bytes()).as_ref(), Ok(&value)),
            Err(error) => assert_eq!(error.expected, T::FORM),
        }
    }
}

fn round_trips<T: Payload + PartialEq + std::fmt::Debug>(values: impl IntoIterator<Item = T>) {
    for value in values {
        assert_eq!(T::decode(value.encode().as_bytes()), Ok(value));
    }
    survives::<T>();
}

fn words<T: Payload + MaybeEmpty + Copy + PartialEq + std::fmt::Debug>(all: &[T]) {
    round_trips(all.iter().copied());
    round_trips(all.iter().copied().map(Some).chain([None]));
}

#[test]
fn booleans_signals_and_texts() {
    round_trips([true, false]);
    round_trips([Signal]);
    round_trips(AuthorizationResult::ALL.iter().copied());
    round_trips([EventLines(vec![]), EventLines(vec!["a \"b\"".to_owned()])]);
    round_trips(["".to_owned(), "0.7.0".to_owned(), "Öffnung".to_owned()]);
    round_trips(EvseId::new("DE*INT*ECH1234567890"));
    round_trips(RequestId::new("a-7"));
    round_trips(ServiceId::new("pid"));
    round_trips(FirmwareUrl::new("https://user:secret@example.org/fw.raucb"));
    round_trips(MacAddress::new("00:12:34:56:78:9A"));
    round_trips(Timestamp::new("2023-06-23T06:54:55.123Z"));
}

#[test]
fn closed_sets() {
    words(Availability::ALL);
    words(CpState::ALL);
    words(PlugStatus::ALL);
    words(ContactorStatus::ALL);
    words(ChargeProtocol::ALL);
    words(PhaseStatus::ALL);
    words(PlugLockFailure::ALL);
    words(ProximityError::ALL);
    words(RcdError::ALL);
    words(UpdateState::ALL);
    words(UpdateResult::ALL);
    words(PhaseTarget::ALL);
    words(PhaseActual::ALL);
    words(TagStandard::ALL);
    words(EvseProcessing::ALL);
    words(EvseNotification::ALL);
    words(ServiceCategory::ALL);
    words(PaymentOption::ALL);
    words(EnergyTransferMode::ALL);
    words(ChargeProgress::ALL);
    words(ChargingSession::ALL);
    words(SessionState::ALL);
    words(StopReason::ALL);
    words(SessionFault::ALL);
}

#[test]
fn numbers() {
    round_trips((0..=10_000).filter_map(DutyPercent::from_hundredths));
    let limits = (0..1_000).chain([u32::MAX]).map(CurrentLimit::Deciamperes);
    round_trips(limits.chain([CurrentLimit::NoLimit]));
    round_trips([
        None,
        Some(CurrentLimit::NoLimit),
        Some(CurrentLimit::Deciamperes(60)),
    ]);
    round_trips((0..1_000).map(|deciamperes| OfferedCurrent { deciamperes }));
    round_trips([0, 6, 63, 10_000].into_iter().filter_map(WholeAmperes::new));
    let cable = WholeAmperes::new(20).map(WholeCurrentLimit::Limit);
    round_trips(cable.into_iter().chain([WholeCurrentLimit::NoLimit]));
    let soc = StateOfCharge::new(80).map(SocStatus::Known);
    round_trips(
        soc.into_iter()
            .chain([SocStatus::Unknown, SocStatus::NotTold]),
    );
    round_trips([std::num::NonZeroU32::MIN, std::num::NonZeroU32::MAX].map(MaxTrials));
    round_trips([0, 60, u32::MAX].map(|seconds| TrialInterval { seconds }));
    round_trips((0..=100).filter_map(Progress::new));
    round_trips((10..=300).filter_map(SwitchDelay::new));
    round_trips([0, i64::MAX].into_iter().filter_map(SessionId::new));
    round_trips(EpochMillis::new(1_700_000_000_000));
    round_trips(NotificationDelay::new(65_535));
    round_trips(V2gServiceId::new(1));
    round_trips(ScheduleTuples::new(3));
    round_trips(DepartureTime::new(4_294_967_295));
}

#[test]
fn structures() {
    let values = MeterValues {
        timestamp: Timestamp::new("2026-01-02T03:04:05.678Z").unwrap(),
        energy_wh: Some(1_234_567.8),
        power_w: PerPhase {
            total: Some(11_040.0),
            ..PerPhase::default()
        },
        voltage_v: PerPhase {
            l1: Some(230.1),
            l2: Some(229.9),
            l3: Some(231.0),
            total: None,
        },
        current_a: PerPhase {
            l1: Some(-0.0),
            ..PerPhase::default()
        },
        frequency_hz: Some(49.98),
    };
    round_trips([values]);
    let identity = |serial| MeterIdentity {
        protocol: "eastron,sdm630".to_owned(),
        model: "Eastron SDM630".to_owned(),
        serial,
        address: 1,
    };
    round_trips([identity(None), identity(Some("0815".to_owned()))]);
    round_trips([RfidTag {
        standard: TagStandard::Unknown,
        uid: "04A1".to_owned(),
    }]);
    round_trips([PhysicalValue {
        multiplier: -3,
        value: i16::MIN,
        unit: Some(6),
    }]);
    round_trips([PaymentOptions {
        payment_option0: 1,
        payment_option1: None,
    }]);
    round_trips([ChargeService {
        service_id: 1,
        service_name: "AC".to_owned(),
        service_category: 0,
        service_scope: String::new(),
        free_service: true,
        supported_energy_transfer_type0: 1,
        supported_energy_transfer_type1: None,
        supported_energy_transfer_type2: None,
        supported_energy_transfer_type3: None,
        supported_energy_transfer_type4: Some(0),
    }]);
    round_trips([ScheduleList {
        schedule_tuple_id: 1,
        start: vec![0, 3600],
        duration: 7200,
        p_max: vec![11, 4],
        p_max_multiplier: vec![3, 3],
    }]);
    round_trips([ChargingProfile {
        start: vec![0],
        p_max: vec![11],
        p_max_multiplier: vec![3],
        number_of_phases: vec![3],
    }]);
    round_trips([DataTransferCall {
        unique_id: "1".to_owned(),
        request: DataTransferRequest {
            vendor_id: "v".to_owned(),
            message_id: Some("m".to_owned()),
            data: None,
        },
    }]);
    round_trips([
        DataTransferAnswer::Result {
            unique_id: "1".to_owned(),
            status: "Accepted".to_owned(),
            data: Some("x".to_owned()),
        },
        DataTransferAnswer::Error {
            unique_id: "1".to_owned(),
            code: "InternalError".to_owned(),
            description: String::new(),
            details: serde_json::json!({}),
        },
    ]);
    round_trips([serde_json::json!({"a": [1, null]})]);
}

#[test]
fn family_members_are_one_level() {
    let family = &GLOBAL_DYN_CURRENT_LIMIT;
    assert_eq!(
        family.topic("pv").as_deref(),
        Some("ci/global/dyn_current_limit/pv")
    );
    assert_eq!(family.member("ci/global/dyn_current_limit/pv"), Some("pv"));
    for wrong in ["", "a/b", "+", "#", "a\0"] {
        assert_eq!(family.topic(wrong), None, "{wrong:?}");
    }
    assert_eq!(family.member("ci/global/dyn_current_limit/"), None);
    assert_eq!(family.member("ci/global/dyn_current_limit/a/b"), None);
    let daemon = &DAEMON_AVAILABLE;
    assert_eq!(
        daemon.member("ci/global/daemon/evsed/available"),
        Some("evsed")
    );
    assert_eq!(daemon.member("ci/global/daemon/evsed"), None);
}

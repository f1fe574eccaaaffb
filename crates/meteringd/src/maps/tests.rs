use std::collections::HashSet;

use super::*;

use crate::protocol::{Protocol, models};

#[test]
fn every_value_is_read_once_and_within_the_meters_limit() {
    for model in models() {
        for register in model.registers {
            let reads = model.reads.iter().filter(|read| read.holds(register));
            assert_eq!(reads.count(), 1, "{}: {register:?}", model.name);
        }
        for read in model.reads {
            assert!(read.count <= model.longest_read, "{}: {read:?}", model.name);
        }
    }
}

#[test]
fn no_two_answers_of_a_model_have_the_same_form_unless_it_has_a_fence() {
    for model in models().filter(|model| model.fence.is_none()) {
        let reads = model
            .reads
            .iter()
            .chain(model.serial.iter().map(|serial| &serial.read))
            .chain(&model.designation);
        let mut forms = HashSet::new();
        for read in reads {
            let form = (read.function == ReadFunction::Input, read.count);
            assert!(forms.insert(form), "{}: {read:?}", model.name);
        }
    }
}

#[test]
fn a_lost_frame_leaves_time_for_a_reading_before_the_meter_counts_as_gone() {
    // Both frames and what a meter usually thinks.
    let exchange = Duration::from_millis(60);
    for model in models() {
        let protocol = Protocol::named(model.protocol).unwrap();
        let requests = model.reads.len() as u32;
        let reading = (requests * (exchange + model.pause)).max(Duration::from_secs(1));
        let repeated = protocol.answer_limit + model.pause.max(Duration::from_millis(250));
        let fence = model.fence.map(|_| exchange + model.pause);
        let took = reading + repeated + fence.unwrap_or_default();
        assert!(
            took < protocol.unavailable_after,
            "{}: {took:?}",
            model.name
        );
    }
}

#[test]
fn a_value_occurs_once_in_a_model() {
    for model in models() {
        for register in model.registers {
            let same = |other: &&Register| {
                (other.quantity, other.phase) == (register.quantity, register.phase)
            };
            assert_eq!(
                model.registers.iter().filter(same).count(),
                1,
                "{register:?}"
            );
        }
    }
}

#[test]
fn a_value_is_read_alone_together_with_its_exponent() {
    let energy = WM3M4C.register(Quantity::Energy, Phase::Total).unwrap();
    let alone = energy.alone();
    assert_eq!((alone.start, alone.count), (414, 6));
    let words = [0xFFFF, 0, 0, 0, 0x0012, 0xD687];
    assert_eq!(energy.value(&alone, &words), Some(123_456.7));
    let elsewhere = input(418, 2);
    assert_eq!(energy.value(&elsewhere, &[0x0012, 0xD687]), None);

    let power = SUNSPEC_MODELS[2]
        .1
        .register(Quantity::Power, Phase::Total)
        .unwrap();
    assert_eq!((power.alone().start, power.alone().count), (18, 5));
    assert_eq!(
        power.value(&power.alone(), &[0xFFFE, 0, 0, 0, 1]),
        Some(-20.0)
    );
    assert_eq!(power.value(&power.alone(), &[0x8000, 0, 0, 0, 1]), None);
    let no_exponent = power.value(&power.alone(), &[2, 0, 0, 0, 0x8000]);
    assert!(no_exponent.unwrap().is_nan());
}

#[test]
fn a_row_says_where_it_comes_from() {
    for model in models() {
        for register in model.registers {
            assert!(!register.source.is_empty(), "{}: {register:?}", model.name);
        }
    }
}

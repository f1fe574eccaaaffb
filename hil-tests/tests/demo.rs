//! What a newcomer sees first.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::process::Command;

use hil_tests::binary;

#[test]
fn the_demo_charges_one_car_and_tells_so() {
    let output = Command::new(binary("mode3-demo")).output().unwrap();
    let story = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{story}");
    for told in [
        "control pilot  C: car asks for energy",
        "duty cycle     53.33 %",
        "plug lock      locked",
        "contactor      closed",
        "StartTransaction",
        "StopTransaction",
        "One car charged:",
    ] {
        assert!(story.contains(told), "{told:?} is missing in\n{story}");
    }
}

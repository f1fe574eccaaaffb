//! The words of customer.json.

use crate::words::words;

words! {
    /// An auxiliary contact.
    ContactorFeedback {
        /// Normally closed.
        NormallyClosed = "nc",
        /// Normally open.
        NormallyOpen = "no",
        /// There is none.
        None = "none",
    }

    /// The auxiliary contact of the second contactor, which must have one.
    SwitchFeedback {
        /// Normally closed.
        NormallyClosed = "nc",
        /// Normally open.
        NormallyOpen = "no",
    }

    /// Who controls the ventilation.
    VentilationControl {
        /// The station.
        Internal = "internal",
        /// A client on MQTT.
        External = "external",
    }

    /// The level that a key speaks of.
    Polarity {
        /// Low.
        ActiveLow = "active_low",
        /// High.
        ActiveHigh = "active_high",
    }

    /// A plug lock's motor.
    PlugLockType {
        /// Kuester 02S.
        Kuester02S = "KUESTER-02S",
        /// Kuester 04S.
        Kuester04S = "KUESTER-04S",
        /// Phoenix Contact E.
        PhoenixT2M3S = "EV-T2M3S-E-LOCK12V",
        /// Phoenix Contact SM.
        PhoenixT2M3SM = "EV-T2M3SM-E-LOCK12V",
        /// Hella.
        HellaMicroActuator1 = "HELLA-MICRO-ACTUATOR-1",
        /// Walther-Werke.
        WaltherWerke = "WALTHER-WERKE-9798999009",
        /// Intramco.
        Intramco = "INTRAMCO-603205",
        /// Scame 200.23260BS.
        Scame23260Bs = "SCAME-200.23260BS",
        /// Scame 200.23261BS.
        Scame23261Bs = "SCAME-200.23261BS",
        /// Scame 200.23261BP.
        Scame23261Bp = "SCAME-200.23261BP",
        /// Scame 200.23261BL.
        Scame23261Bl = "SCAME-200.23261BL",
    }

    /// A meter's model.
    MeterProtocol {
        /// DZG DVH4013.
        Dzg = "dzg",
        /// Eastron, model found by itself.
        Eastron = "eastron",
        /// Eastron SDM230.
        EastronSdm230 = "eastron,sdm230",
        /// Eastron SDM630.
        EastronSdm630 = "eastron,sdm630",
        /// Eastron SDM72D-M v1.
        EastronSdm72dmV1 = "eastron,sdm72dm-v1",
        /// Eastron SDM72D-M v2.
        EastronSdm72dmV2 = "eastron,sdm72dm-v2",
        /// Elecnova DDS1946.
        ElecnovaDds1946 = "elecnova,dds1946",
        /// Elecnova DTS1946.
        ElecnovaDts1946 = "elecnova,dts1946",
        /// Carlo Gavazzi EM and ET series.
        Gavazzi = "gavazzi",
        /// Klefr 693x and 694x.
        Klefr = "klefr",
        /// Phoenix Contact EEM-350-D-MCB.
        Eem350DMcb = "eem-350-d-mcb",
        /// ABB EV3.
        Abb = "abb",
        /// Iskra WM3M4 and WM3M4C.
        Iskra = "iskra",
        /// Socomec Countis E03 and E04.
        Socomec = "socomec",
        /// SunSpec, also BZR Bauer BSM.
        SunSpec = "sunspec",
    }

    /// Parity of a serial interface.
    Parity {
        /// None.
        None = "none",
        /// Odd.
        Odd = "odd",
        /// Even.
        Even = "even",
    }

    /// A recloser's model.
    RecloserProtocol {
        /// Geya GRD9M.
        Geya = "geya",
    }

    /// An RFID reader's model.
    RfidProtocol {
        /// StrongLink SL032 with its own protocol.
        Stronglink = "Stronglink",
        /// StrongLink SL032 with Modbus.
        StronglinkModbus = "stronglink-modbus",
        /// SMART Technologies MCR LEGIC.
        SmarttecMcrLegic = "smarttec-mcr-legic",
        /// The reader of another station.
        Mqtt = "mqtt",
    }

    /// A high level communication protocol.
    HlcProtocol {
        /// ISO 15118-2.
        Iso15118 = "urn:iso:15118:2:2013",
    }

    /// How the station charges.
    ChargingType {
        /// IEC 61851 only.
        Basic = "basic",
        /// ISO 15118 only.
        HighLevel = "highlevel",
        /// IEC 61851 after a short high level session that reads the state of charge.
        BasicAfterFakeDc = "basic+fake_highlevel_dc",
    }

    /// Who allows charging.
    UserAuthentication {
        /// Nobody has to.
        Free = "free",
        /// The central system, or its lists.
        Ocpp = "ocpp",
        /// A client on MQTT.
        Mqtt = "mqtt",
        /// A key switch.
        KeySwitch = "key-switch",
    }

    /// Authentication of a high level session.
    AuthenticationMode {
        /// External identification means.
        Eim = "eim",
    }

    /// TLS towards the EV.
    TlsSecurity {
        /// Never.
        Prohibit = "prohibit",
        /// When the EV wants it.
        Allow = "allow",
        /// Always.
        Force = "force",
    }

    /// What ends the short high level session.
    VendorEnd {
        /// The MAC address is known.
        Mac = "MAC",
        /// The state of charge is known.
        SoC = "SoC",
    }

    /// Form of signed meter values.
    CalibrationLawFormat {
        /// OCMF as it is.
        Plain = "ocmf,plain",
        /// OCMF in hex digits.
        Hex = "ocmf,hex",
    }

    /// A measured quantity of OCPP (guide 3.3.6).
    Measurand {
        /// Energy register.
        EnergyActiveImportRegister = "Energy.Active.Import.Register",
        /// Power.
        PowerActiveImport = "Power.Active.Import",
        /// Power of one phase.
        PowerActiveImportL1 = "Power.Active.Import.L1",
        /// Power of one phase.
        PowerActiveImportL2 = "Power.Active.Import.L2",
        /// Power of one phase.
        PowerActiveImportL3 = "Power.Active.Import.L3",
        /// Offered power.
        PowerOffered = "Power.Offered",
        /// Current.
        CurrentImport = "Current.Import",
        /// Current of one phase.
        CurrentImportL1 = "Current.Import.L1",
        /// Current of one phase.
        CurrentImportL2 = "Current.Import.L2",
        /// Current of one phase.
        CurrentImportL3 = "Current.Import.L3",
        /// Offered current.
        CurrentOffered = "Current.Offered",
        /// Offered current of one phase.
        CurrentOfferedL1 = "Current.Offered.L1",
        /// Offered current of one phase.
        CurrentOfferedL2 = "Current.Offered.L2",
        /// Offered current of one phase.
        CurrentOfferedL3 = "Current.Offered.L3",
        /// Voltage.
        Voltage = "Voltage",
        /// Voltage of one phase.
        VoltageL1 = "Voltage.L1-N",
        /// Voltage of one phase.
        VoltageL2 = "Voltage.L2-N",
        /// Voltage of one phase.
        VoltageL3 = "Voltage.L3-N",
        /// Mains frequency.
        Frequency = "Frequency",
    }
}

-- transactions.db as version 1 of the schema left it: a transaction that runs, one that waits for
-- delivery, and a default profile.
CREATE TABLE transactions (number INTEGER PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE messages (sequence INTEGER PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE station (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO transactions VALUES (3, '{"number":3,"central_id":1790000000,"id_tag":"04A1B2C3D4","parent":null,"started":"2026-09-21T10:00:00.000Z","meter_start":120500,"meter_last":121750,"last_seen":"2026-09-21T10:20:00.000Z","refused":false,"end":null,"begin_values":[]}');
INSERT INTO messages VALUES (7, '{"sequence":7,"transaction":3,"message_id":"0a1b2c3d4e5f-1c","refusals":0,"body":{"Meter":{"connectorId":1,"meterValue":[{"timestamp":"2026-09-21T10:10:00.000Z","sampledValue":[{"value":"121100","context":"Sample.Periodic","measurand":"Energy.Active.Import.Register","unit":"Wh"}]}]}}}');
INSERT INTO messages VALUES (8, '{"sequence":8,"transaction":3,"message_id":"0a1b2c3d4e5f-1d","refusals":1,"body":{"Meter":{"connectorId":1,"meterValue":[{"timestamp":"2026-09-21T10:20:00.000Z","sampledValue":[{"value":"121750","context":"Sample.Periodic","measurand":"Energy.Active.Import.Register","unit":"Wh"}]}]}}}');
INSERT INTO station VALUES ('uri', 'ws://host/CP1');
INSERT INTO station VALUES ('registered', '1');
INSERT INTO station VALUES ('station_operative', '1');
INSERT INTO station VALUES ('connector_operative', '1');
INSERT INTO station VALUES ('profiles', '[{"connector":1,"profile":{"id":20,"transaction_id":null,"stack_level":8,"purpose":"TxDefault","kind":"Absolute","valid_from":null,"valid_to":null,"schedule":{"duration":null,"start":"2026-09-21T09:59:00.000Z","periods":[{"start":0,"limit":160,"phases":null}]}},"received":"2026-09-21T10:00:00.000Z"}]');
PRAGMA user_version = 1;

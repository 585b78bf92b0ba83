import Ports

/// A fact about a real system that the simulated one does not have, or that no case shows in both worlds.
///
/// docs/FIDELITY.md says the same in prose, and `simulate fidelity` lists them behind the rules.
struct FidelityLimit: Sendable {
    let area: ContractArea
    let rule: String
    let isModelled: Bool
    let why: String

    var document: JSONValue {
        .members([
            "area": .string(area.rawValue), "rule": .string(rule), "isModelled": .bool(isModelled), "why": .string(why),
        ])
    }

    static func notModelled(_ area: ContractArea, _ rule: String, _ why: String) -> FidelityLimit {
        FidelityLimit(area: area, rule: rule, isModelled: false, why: why)
    }

    static func noCase(_ area: ContractArea, _ rule: String, _ why: String) -> FidelityLimit {
        FidelityLimit(area: area, rule: rule, isModelled: true, why: why)
    }

    static let all: [FidelityLimit] = [
        .noCase(
            .postgres, "An asynchronous standby loses the tail at failover; a synchronous one does not",
            "the servers of the suite have no standby; Tests/PostgresTests/StandbyTests.swift shows it in simulation"),
        .noCase(
            .postgres, "A cancelled wait for a synchronous standby is committed locally",
            "the servers of the suite have no standby; Tests/PostgresTests/StandbyTests.swift shows it in simulation"),
        .noCase(
            .postgres, "Slots are lost on failover unless they are synchronised",
            "the servers of the suite have no standby; Tests/PostgresTests/StandbyTests.swift shows it in simulation"),
        .noCase(
            .postgres, "A failed fsync of the log is a panic",
            "a real disk cannot be made to fail here; Tests/PostgresTests/WriteAheadLogTests.swift shows it in simulation"
        ),
        .noCase(
            .postgres, "max_connections: one more is refused with 53300",
            "the suite shares its server; Tests/PostgresTests/TransactionStateTests.swift shows it in simulation"),
        .notModelled(
            .postgres, "DDL is not decoded",
            "the simulated server has no DDL but migrations, which write nothing to its log"),
        .notModelled(
            .postgres, "Values stored out of line that an update left alone are not sent to a slot's consumer (TOAST)",
            "the simulated server stores every value in its row"),
        .notModelled(
            .postgres, "Joins, aggregates, sequences, triggers, foreign keys, savepoints, advisory locks, LISTEN",
            "the database port cannot say them"),
        .notModelled(
            .postgres, "SERIALIZABLE predicate locks grow coarser (pages, relations) when there are many",
            "the simulated locks stay exact: fewer false positives than a real server has"),
        .notModelled(
            .postgres, "A cancel request travels on a connection of its own",
            "the simulated one travels on the connection that it is about, so it comes neither too late nor alone"),
        .notModelled(
            .debezium, "TRUNCATE events (op t) and logical messages (op m)", "the database port has neither"),
        .notModelled(
            .debezium, "Incremental and ad-hoc snapshots, signals, notifications",
            "the connector is used for an outbox, which needs none"),
        .notModelled(
            .debezium, "REPLICA IDENTITY other than DEFAULT, column filters, unavailable values",
            "the simulated server logs keys and whole new rows"),
        .notModelled(
            .debezium, "Schemas in records, Avro, other converters than JSON and String",
            "records are compared as JSON without schemas"),
        .notModelled(
            .debezium, "Other single message transformations than the Outbox Event Router", "the shop has no other"),
        .notModelled(
            .debezium, "lsn.flush.mode other than connector, exactly.once.support",
            "the defaults are modelled: at least once"),
        .notModelled(
            .debezium, "A snapshot of an existing slot reads the log's position in its own transaction",
            "the simulated connector reads it before: it repeats where a real one may lose a commit in between"),
        .notModelled(
            .debezium, "Two workers of one group, and the rebalance between them",
            "one simulated process is one worker with one task"),
        .notModelled(.kafka, "KRaft's quorum of controllers", "the simulated controller is one process"),
        .notModelled(
            .kafka, "The transaction protocol of KIP-890, the group protocol of KIP-848, share groups",
            "the protocols before them are modelled"),
        .notModelled(
            .kafka, "Quotas, access control, compression, tiered storage, several log directories",
            "none of them changes what a client may conclude"),
        .notModelled(
            .postgres, "Transaction id wraparound, vacuum, bloat, planner choices, and what statements cost in CPU",
            "statements take no virtual time of their own"),
    ]
}

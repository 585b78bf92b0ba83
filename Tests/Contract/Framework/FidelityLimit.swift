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
            .postgres, "Transaction id wraparound, vacuum, bloat, planner choices, and what statements cost in CPU",
            "statements take no virtual time of their own"),
    ]
}

import Ports
import SimCore

/// A group of faults that a scenario of the shop may draw.
package enum ShopFaults: String, Sendable, CaseIterable {
    /// Processes of the shop's own services and relays: crashes, pauses, clocks.
    case services
    case kafka
    case postgres
    case network
    case gateway

    /// Restarts, doubles and snapshots of the relays.
    case cdc
    case upgrade
    /// Elections that lose what was committed: for scenarios that allow losses.
    case uncleanElections

    /// What a scenario that promises no loss may draw.
    package static let withinTolerance = allCases.filter { $0 != .uncleanElections }

    private static let relayProcesses = ["order", "payment", "inventory", "shipping"].map { RelayFaults.name(of: $0) }

    /// What the group may do to a shop, and to whom.
    func entries(_ world: ShopWorld) -> [FaultPlan.Entry] {
        let brokers = world.kafka.brokerNames
        let services =
            ShopWorld.serviceNames.flatMap { world.deployment.regularPlaces(of: $0) } + Self.relayProcesses
        let databases = world.databaseProcesses
        switch self {
        case .services: return Self.services(services)
        case .kafka: return Self.kafka(brokers, controller: world.kafka.controllerName)
        case .postgres: return Self.postgres(databases.primaries, standbys: databases.standbys)
        case .network: return Self.network(brokers, services, databases.primaries + databases.standbys)
        case .gateway:
            return [
                .init("gateway-timeout-with-effect"), .init("gateway-duplicate-callback"), .init("gateway-refusals"),
                .init("crash", pool: ["gateway"]),
            ]
        case .cdc where world.options.publisher == .debezium:
            // A second relay and a snapshot on demand are faults of the Outbox library's relay.
            return [.init("connector-restart", pool: Self.relayProcesses)]
        case .cdc:
            return [
                .init("connector-restart", pool: Self.relayProcesses), .init("two-relays", pool: Self.relayProcesses),
                .init("re-snapshot", pool: Self.relayProcesses),
            ]
        case .uncleanElections: return [.init("kafka-unclean-election", pool: brokers)]
        case .upgrade:
            // Where it is all there is, it comes in every run.
            let isTheTopic = !world.options.faults.contains(.services)
            return [
                .init(
                    "rolling-upgrade", parameterRanges: isTheTopic ? ["pause": 500...1_500, "back": 1...1] : [:],
                    comesOnce: isTheTopic)
            ]
        }
    }

    private static func services(_ services: [String]) -> [FaultPlan.Entry] {
        [
            .init("crash", pool: services), .init("pause", pool: services),
            // A deadline that was set by a clock an hour ahead comes due an hour late, whatever the protocol does; what is
            // to finish within the liveness bound must not wait for that.
            .init("clock-jump", pool: services, parameterRanges: ["by": -60_000...60_000]),
            .init("clock-drift", pool: services),
        ]
    }

    private static func kafka(_ brokers: [String], controller: String) -> [FaultPlan.Entry] {
        [
            .init("crash", pool: brokers), .init("pause", pool: brokers), .init("host-crash", pool: [brokers[0]]),
            .init("stop", pool: brokers), .init("crash", pool: [controller]), .init("slow-disk", pool: brokers),
            .init("kafka-leader-change"), .init("kafka-coordinator-move"),
            .init("kafka-controller-loss", pool: [controller]), .init("kafka-isr-shrink", pool: brokers),
            .init("kafka-log-truncation", pool: brokers),
            .init("kafka-rebalance-storm", pool: brokers, targetCountLimit: 3),
            // Nothing that somebody has still to read: a scenario that promises no loss keeps its lag within retention.
            .init("kafka-log-retention", parameterRanges: ["unread": 0...0]),
        ]
    }

    private static func postgres(_ databases: [String], standbys: [String]) -> [FaultPlan.Entry] {
        let any = databases + standbys
        let withStandby: [FaultPlan.Entry] =
            standbys.isEmpty ? [] : [.init("postgres-failover", pool: databases, targetCountLimit: 2)]
        return [
            .init("crash", pool: any), .init("pause", pool: any), .init("host-crash", pool: any),
            .init("slow-disk", pool: any), .init("failed-fsync", pool: any), .init("postgres-crash", pool: databases),
            .init("slot-loss", pool: databases), .init("slot-rewind", pool: databases, targetCountLimit: 3),
            .init("long-transaction", pool: databases), .init("wal-cap", pool: databases),
            .init("connection-exhaustion", pool: databases, targetCountLimit: 2),
            .init("privilege-loss", pool: databases),
        ] + withStandby
    }

    private static func network(
        _ brokers: [String], _ services: [String], _ databases: [String]
    ) -> [FaultPlan.Entry] {
        let all = services + brokers + databases
        return [
            .init("partition", pool: all, targetCountLimit: 2), .init("partition-one-way", pool: all),
            .init("flapping", pool: brokers + services), .init("clog", pool: services + databases),
            .init("loss", pool: services + brokers, targetCountLimit: 3), .init("slow-node", pool: all),
            .init("connection-reset", pool: all, targetCountLimit: 2),
            .init("apply-then-fail", pool: all, targetCountLimit: 2),
        ]
    }
}

extension ShopWorld {
    /// Names of the processes of the databases, and of their standbys if they have any.
    var databaseProcesses: (primaries: [String], standbys: [String]) {
        let primaries = Self.serviceNames.map { "postgres-\($0)" }
        let standbys = primaries.map { $0 + "-standby" }.filter { simulation.process(named: $0) != nil }
        return (primaries, standbys)
    }
}

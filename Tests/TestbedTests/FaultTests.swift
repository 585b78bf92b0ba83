import Ports
import SimCore
import Testbed
import Testing

/// Each kind of fault that Kafka, PostgreSQL, relays, gateway and upgrade have changes something in a running shop, and the
/// shop gets over it.
struct FaultTests {
    /// Faults of one kind, all through a run.
    struct Case: Sendable, CustomTestStringConvertible {
        let kind: String
        let scenario: String
        let schedule: [ScheduledFault]
        var testDescription: String { kind }

        /// The fault at several times, so that one of them meets an order on its way.
        init(
            _ kind: String, in scenario: String, targets: [[String]] = [[]], lasting duration: Nanoseconds = .zero,
            every period: Nanoseconds = .seconds(6), parameters: [String: Int64] = [:]
        ) {
            self.kind = kind
            self.scenario = scenario
            var schedule: [ScheduledFault] = []
            var at = Nanoseconds.seconds(14)
            while at < .seconds(65) {
                let hit = targets[schedule.count % targets.count]
                schedule.append(
                    ScheduledFault(kind, at: at, duration: duration, targets: hit, parameters: parameters))
                at = at + period
            }
            self.schedule = schedule
        }
    }

    private static let brokers = [["kafka-1"], ["kafka-2"], ["kafka-3"]]
    private static let databases = ["order", "payment", "inventory", "notification"].map { ["postgres-\($0)"] }
    private static let certain: [String: Int64] = ["probability": 1_000_000]
    private static let relays = [["cdc-order"], ["cdc-inventory"], ["cdc-payment"], ["cdc-shipping"]]

    static let cases = [
        Case("kafka-leader-change", in: "kafka-chaos"),
        Case("kafka-coordinator-move", in: "kafka-chaos"),
        Case("kafka-controller-loss", in: "kafka-chaos", targets: [["kafka-controller"]], lasting: .seconds(4)),
        Case("kafka-isr-shrink", in: "kafka-chaos", targets: brokers, lasting: .seconds(25), every: .seconds(27)),
        Case("kafka-log-truncation", in: "kafka-chaos", targets: brokers, lasting: .seconds(5)),
        Case("kafka-rebalance-storm", in: "kafka-chaos", targets: [["kafka-1", "kafka-2", "kafka-3"]]),
        Case("kafka-log-retention", in: "kafka-chaos"),
        Case("postgres-crash", in: "postgres-failover", targets: databases),
        Case("postgres-failover", in: "postgres-failover", targets: databases, every: .seconds(15)),
        Case("slot-loss", in: "postgres-failover", targets: databases),
        Case("slot-rewind", in: "postgres-failover", targets: databases),
        Case("long-transaction", in: "postgres-failover", targets: databases, lasting: .seconds(5)),
        Case("wal-cap", in: "postgres-failover", targets: databases),
        Case("connection-exhaustion", in: "postgres-failover", targets: databases, lasting: .seconds(3)),
        Case("privilege-loss", in: "postgres-failover", targets: databases, lasting: .seconds(2)),
        Case("connector-restart", in: "postgres-failover", targets: relays),
        Case("two-relays", in: "postgres-failover", targets: relays, lasting: .seconds(5)),
        Case("re-snapshot", in: "postgres-failover", targets: relays),
        Case(
            "gateway-timeout-with-effect", in: "kafka-chaos", lasting: .seconds(5), every: .seconds(5),
            parameters: certain),
        Case(
            "gateway-duplicate-callback", in: "kafka-chaos", lasting: .seconds(5), every: .seconds(5),
            parameters: certain),
        Case("gateway-refusals", in: "kafka-chaos", lasting: .seconds(5), every: .seconds(5), parameters: certain),
        Case("rolling-upgrade", in: "rolling-upgrade", lasting: .seconds(80), every: .seconds(90)),
    ]

    @Test("It takes effect, and every property holds nevertheless", arguments: cases)
    func faultBites(_ one: Case) throws {
        let scenario = try ShopRuns.scenario(one.scenario, orders: 20)
        let report = try ShopRuns.run(scenario, seed: 1, schedule: one.schedule)
        #expect(report.run.held, "\(report)")
        let efficacy = report.run.faults.first { $0.kind == one.kind }
        #expect((efficacy?.effectCount ?? 0) > 0, "\(one.kind) was begun \(one.schedule.count) times and did nothing")
    }

    @Test("Without it, what it counts stays zero", arguments: ["kafka-chaos", "postgres-failover"])
    func nothingIsCountedWithoutFaults(scenario name: String) throws {
        let report = try ShopRuns.run(try ShopRuns.scenario(name, orders: 5), seed: 1, schedule: [])
        #expect(report.run.held, "\(report)")
        #expect(report.run.faults.isEmpty)
    }

    @Test("An unclean election loses nothing where two replicas have to have a record")
    func uncleanElectionIsHarmlessWithTwo() throws {
        let scenario = try ShopRuns.scenario("kafka-chaos", orders: 20)
        let fault = ScheduledFault(
            "kafka-unclean-election", at: .seconds(14), duration: .seconds(18), targets: ["kafka-1"])
        let report = try ShopRuns.run(scenario, seed: 1, schedule: [fault])
        #expect(report.run.faults.first?.effectCount == 0)
        #expect(report.run.held, "\(report)")
    }

    @Test(
        "What an unclean election loses is known, also where the new leader has an earlier leader's records in its place"
    )
    func divergedReplicaLeads() throws {
        // Three records of this run are lost to replicas whose logs are long enough and other than the lost leader's.
        let report = try ShopRuns.run(try ShopRuns.scenario("lossy-election", orders: 12), seed: 49)
        #expect((report.run.faults.first { $0.kind == "kafka-unclean-election" }?.effectCount ?? 0) > 100)
        #expect(report.run.held, "\(report)")
    }

    /// Faults of one kind in a scenario that allows losses.
    struct Loss: Sendable, CustomTestStringConvertible {
        let scenario: String
        let schedule: [ScheduledFault]
        let figure: String
        var testDescription: String { scenario }
    }

    static let losses = [
        Loss(
            scenario: "lossy-election",
            schedule: [("kafka-1", 14), ("kafka-2", 45)].map {
                ScheduledFault(
                    "kafka-unclean-election", at: .seconds($0.1), duration: .seconds(20), targets: [$0.0])
            }, figure: "lost records"),
        Loss(
            scenario: "lossy-failover",
            schedule: [("postgres-order", 20), ("postgres-inventory", 35), ("postgres-order", 50)].map {
                ScheduledFault(
                    "postgres-failover", at: .seconds($0.1), duration: .zero, targets: [$0.0],
                    parameters: ["lag": 5_000])
            }, figure: "lost transactions"),
    ]

    @Test("Where losses are allowed the run says what was lost, and everything else holds", arguments: losses)
    func lossesAreReported(_ loss: Loss) throws {
        let report = try ShopRuns.run(
            try ShopRuns.scenario(loss.scenario, orders: 40), seed: 1, schedule: loss.schedule)
        #expect(report.run.held, "\(report)")
        func figure(_ name: String) -> Int64 { report.figures.first { $0.name == name }?.value ?? 0 }
        #expect(figure(loss.figure) > 0)
        #expect(figure("orders with losses") > 0)
        #expect(figure("violations that losses account for") > 0, "the loss has consequences, which are known as such")
    }
}

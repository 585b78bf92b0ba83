import Ports
import SimCore
import Testbed
import Testing

/// Every scenario on a fixed set of seeds.
struct ScenarioTests {
    /// A scenario with a seed.
    struct Case: Sendable, CustomTestStringConvertible {
        let scenario: String
        let seed: UInt64
        var testDescription: String { "\(scenario), seed \(seed)" }
    }

    static let orderCount = 12
    static let seedCount: UInt64 = 12
    static let cases = ShopScenarios.entries.flatMap { entry in
        (1...seedCount).map { Case(scenario: entry.name, seed: $0) }
    }

    @Test("Every property holds in every scenario, whatever the seed", arguments: cases)
    func everyPropertyHolds(_ one: Case) throws {
        let report = try ShopRuns.run(try ShopRuns.scenario(one.scenario, orders: Self.orderCount), seed: one.seed)
        #expect(report.run.held, "\(report)")
        let finished = report.figures.first { $0.name == "orders" }?.value
        #expect(finished == Int64(Self.orderCount), "every order comes: \(report.figures)")
    }

    static let debeziumCases =
        (1...2).map { Case(scenario: "calm", seed: $0) } + (1...6).map { Case(scenario: "default", seed: $0) }

    @Test("Every property holds with Debezium in the place of the relay", arguments: debeziumCases)
    func everyPropertyHoldsWithDebezium(_ one: Case) throws {
        let scenario = try ShopRuns.scenario(one.scenario, orders: Self.orderCount, publisher: .debezium)
        let report = try ShopRuns.run(scenario, seed: one.seed)
        #expect(report.run.held, "\(report)")
    }

    @Test("A run of many orders may take the virtual time that they need, and its faults' healing on top of it")
    func timeOfManyOrders() throws {
        let entry = try #require(ShopScenarios.named("calm"))
        var options = ShopOptions(log: try ShopRuns.log.get())
        options.orderCount = 1_000_000
        options.arrivalsPerSecond = 8
        let prepared = try ShopScenarios.make(entry, options).setUp(Simulation(seed: 1))
        #expect(try #require(prepared.ownTimeLimit) > .seconds(125_000) + options.livenessBound)
    }

    @Test("The same seed gives the same trace hash, and another seed another", arguments: ["calm", "default"])
    func seedDecidesEverything(scenario name: String) throws {
        let scenario = try ShopRuns.scenario(name, orders: 5)
        let first = try ShopRuns.run(scenario, seed: 1).run.traceHash
        #expect(try ShopRuns.run(scenario, seed: 1).run.traceHash == first)
        #expect(try ShopRuns.run(scenario, seed: 2).run.traceHash != first)
    }

    @Test("A failing run's replay command names the scenario, the seed, the orders and the planted mistake")
    func replayCommandIsComplete() throws {
        let scenario = try ShopRuns.scenario("calm", orders: 3, bug: "no-inbox")
        let command = try #require(try ShopRuns.run(scenario, seed: 9).replayCommand)
        #expect(
            command.hasPrefix("simulate replay --scenario calm --seed 9 --scheduling "), "\(command)")
        #expect(command.hasSuffix("--option bug=no-inbox --option orders=3"), "\(command)")
    }
}

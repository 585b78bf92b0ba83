import Ports
import Testing

@testable import SimCore

@Suite("Properties")
struct PropertyTests {
    /// A stopwatch on which each look takes a microsecond.
    private final class Stopwatch: @unchecked Sendable {
        private var nanoseconds: UInt64 = 0
        func read() -> UInt64 {
            nanoseconds += 1_000
            return nanoseconds
        }
    }

    /// Counts up once a second until ten.
    private static func counting(
        stopwatch: (@Sendable () -> UInt64)? = nil, _ setUp: @escaping @Sendable (Simulation, Box<Int>) -> (() -> Void)?
    ) throws -> RunReport {
        let scenario = Scenario("counting", summary: "") { simulation in
            let count = Box(0)
            let onChange = Box(setUp(simulation, count))
            return Scenario.Prepared { context in
                for _ in 1...10 {
                    try await context.sleep(for: .seconds(1))
                    count.value += 1
                    onChange.value?()
                }
            }
        }
        return try scenario.run(SimulationSettings(seed: 1), stopwatch: stopwatch).run
    }

    // MARK: always

    @Test("What must always hold is judged after each step, and fails the run at the first that breaks it")
    func always() throws {
        let report = try Self.counting { simulation, count in
            simulation.properties.always("below four") {
                PropertyVerdict(count.value < 4, "the count is \(count.value)")
            }
            return nil
        }
        #expect(report.kinds == [.property])
        let violation = try #require(report.violations.first)
        #expect(violation.name == "below four" && violation.message == "the count is 4")
        #expect(violation.at == .seconds(4))
        #expect(report.virtualTime == .seconds(4))
    }

    @Test("What depends on something is judged when that has changed, and not otherwise")
    func dependency() throws {
        let report = try Self.counting { simulation, count in
            let dependency = simulation.properties.dependency("the count")
            simulation.properties.always("on the count", on: dependency) { PropertyVerdict(count.value < 8) }
            // Something happens every millisecond that has nothing to do with it.
            simulation.addProcess("ticker") { context in
                while true { try await context.sleep(for: .milliseconds(1)) }
            }
            return { dependency.changed() }
        }
        #expect(report.kinds == [.property])
        #expect(report.violations.first?.at == .seconds(8))
        // Once at the beginning, and once for each change.
        #expect(report.properties.map(\.checkCount) == [9])
        #expect(report.eventCount > 7_000)
    }

    // MARK: eventually, sometimes, at quiescence

    @Test("What has to come true within a span may come true at its last moment, and fails the run after it")
    func eventually() throws {
        func report(within span: Nanoseconds) throws -> RunReport {
            try Self.counting { simulation, count in
                simulation.properties.eventually("five", within: span) {
                    PropertyVerdict(count.value >= 5, "the count is \(count.value)")
                }
                return nil
            }
        }
        #expect(try report(within: .milliseconds(5_000)).held)
        let late = try report(within: .milliseconds(4_999))
        #expect(late.kinds == [.liveness])
        #expect(late.violations.first?.at == .nanoseconds(4_999_000_001))
        #expect(late.violations.first?.message == "did not come to hold by 4.999s: the count is 4")
    }

    @Test("What has come true once is not asked again")
    func eventuallyIsEnough() throws {
        let report = try Self.counting { simulation, count in
            simulation.properties.eventually("exactly five", within: .hours(1)) { PropertyVerdict(count.value == 5) }
            return nil
        }
        #expect(report.held)
    }

    @Test("A run that comes to rest before what has to come true fails, and says what it saw")
    func eventuallyAtRest() throws {
        let report = try Self.counting { simulation, count in
            simulation.properties.eventually("eleven", within: .hours(1)) {
                PropertyVerdict(count.value == 11, "the count is \(count.value)")
            }
            return nil
        }
        #expect(report.kinds == [.liveness])
        #expect(report.violations.first?.message == "the run came to rest and it does not hold: the count is 10")
    }

    @Test("At quiescence every property is judged, and all that do not hold are reported")
    func quiescence() throws {
        let report = try Self.counting { simulation, count in
            simulation.properties.atQuiescence("ten") { PropertyVerdict(count.value == 10) }
            simulation.properties.atQuiescence("nine") { PropertyVerdict(count.value == 9, "\(count.value)") }
            simulation.properties.atQuiescence("eight") { PropertyVerdict(count.value == 8, "\(count.value)") }
            return nil
        }
        #expect(report.violations.map(\.name) == ["nine", "eight"])
    }

    @Test("Sometimes counts how often it was, and one that never was is reported with zero")
    func sometimes() throws {
        let report = try Self.counting { simulation, count in
            let even = simulation.properties.sometimes("even")
            _ = simulation.properties.sometimes("negative")
            return { if count.value.isMultiple(of: 2) { even.reached() } }
        }
        #expect(report.held)
        #expect(report.sometimes.map(\.name) == ["even", "negative"])
        #expect(report.sometimes.map(\.count) == [5, 0])
    }

    // MARK: What they cost

    @Test("What each property costs is counted, and estimated from every sixteenth check")
    func cost() throws {
        let stopwatch = Stopwatch()
        let report = try Self.counting(stopwatch: { stopwatch.read() }) { simulation, count in
            simulation.properties.always("always") { .holds }
            simulation.properties.eventually("eventually", within: .hours(1)) { PropertyVerdict(count.value == 3) }
            simulation.properties.atQuiescence("at quiescence") { .holds }
            return nil
        }
        #expect(report.held)
        #expect(report.properties.map(\.name) == ["always", "eventually", "at quiescence"])
        // Each look takes a microsecond on this stopwatch, so that is what each check costs.
        #expect(report.properties.allSatisfy { $0.estimatedNanoseconds == 1_000 * $0.checkCount })
        #expect(report.properties[0].checkCount > report.properties[1].checkCount)
        #expect(report.properties[2].checkCount == 1)
    }

    @Test(
        "Once the last `eventually` has come true, steps are not looked at any more on its account",
        arguments: [true, false])
    func eventuallyEndsItsCost(hasOther: Bool) {
        let simulation = Simulation(seed: 1)
        let count = Box(0)
        simulation.properties.eventually("two", within: .hours(1)) { PropertyVerdict(count.value >= 2) }
        simulation.properties.eventually("three", within: .hours(1)) { PropertyVerdict(count.value >= 3) }
        if hasOther { simulation.properties.always("always") { .holds } }
        let isObserved = Box<[Bool]>([])
        let report = simulation.run { context in
            for _ in 1...5 {
                count.value += 1
                try await context.sleep(for: .seconds(1))
                isObserved.value.append(context.simulation.state.pointee.observesEveryStep)
            }
        }
        #expect(report.held)
        #expect(isObserved.value == [true, true, hasOther, hasOther, hasOther])
    }

    @Test("The estimate of a cost that no word can hold is the largest that it can")
    func hugeCost() throws {
        // Every look at this stopwatch takes about 73 years.
        let looks = Box<UInt64>(0)
        let report = try Self.counting(
            stopwatch: {
                looks.value += 1
                return looks.value << 61
            }
        ) { simulation, count in
            simulation.properties.always("always") { .holds }
            return nil
        }
        #expect(report.properties[0].checkCount > 8)
        #expect(report.properties[0].estimatedNanoseconds == .max)
    }

    @Test("Whether costs are measured changes nothing of the run")
    func costIsNoPartOfTheRun() throws {
        func report(_ stopwatch: (@Sendable () -> UInt64)?) throws -> RunReport {
            try Self.counting(stopwatch: stopwatch) { simulation, _ in
                simulation.properties.always("always") { .holds }
                return nil
            }
        }
        let stopwatch = Stopwatch()
        let (measured, plain) = (try report { stopwatch.read() }, try report(nil))
        #expect(measured.traceHash == plain.traceHash)
        #expect(plain.properties.map(\.estimatedNanoseconds) == [0])
    }
}

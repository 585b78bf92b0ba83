import Ports
import SimCore
import Testing

/// The generator, and the driver on a database that is not the simulated PostgreSQL.
struct ListAppendWorkloadTests {
    /// Runs a workload on a database made for it, tasks in random order.
    private func history(
        _ workload: ListAppendWorkload, seed: UInt64 = 1,
        _ makeDatabase: @escaping @Sendable (ProcessContext) -> any Database
    ) throws -> History {
        var settings = SimulationSettings(seed: seed)
        settings.scheduling = .random
        let simulation = Simulation(settings)
        nonisolated(unsafe) var history = History()
        let report = simulation.run { context in
            var generator = SplitMix64(seed: seed)
            history = try await workload.run(
                on: makeDatabase(context), clock: context.clock, generator: &generator)
        }
        if let violation = report.violations.first { throw violation }
        return history
    }

    @Test("The same generator draws the same transactions; another draws others")
    func drawsFromGenerator() {
        let workload = ListAppendWorkload(isolation: .serializable, transactionCount: 50)
        func drawn(_ seed: UInt64) -> [[ListOperation]] {
            var generator = SplitMix64(seed: seed)
            return workload.transactions(&generator)
        }
        #expect(drawn(1) == drawn(1))
        #expect(drawn(1) != drawn(2))
    }

    @Test("Transactions keep to the limits: steps, lists at a time, appends of a list")
    func keepsToLimits() {
        var workload = ListAppendWorkload(isolation: .serializable, transactionCount: 500)
        workload.stepCountLimit = 3
        workload.activeListCount = 2
        workload.appendsPerList = 5
        var generator = SplitMix64(seed: 3)
        let transactions = workload.transactions(&generator)
        #expect(transactions.count == 500)
        #expect(Set(transactions.map(\.count)) == [1, 2, 3])
        var elements: [Int64: [Int64]] = [:]
        for case .append(let key, let element) in transactions.joined() { elements[key, default: []].append(element) }
        #expect(elements.values.filter { $0 == [1, 2, 3, 4, 5] }.count >= elements.count - 2)
        #expect(elements.values.allSatisfy { Array([1, 2, 3, 4, 5].prefix($0.count)) == $0 })
    }

    @Test("One session at a time gives a clean history on any database")
    func oneSessionIsSerial() throws {
        var workload = ListAppendWorkload(isolation: .readCommitted, transactionCount: 300)
        workload.sessionCount = 1
        let history = try history(workload) { ImmediateDatabase($0) }
        let verdict = try IsolationVerdict(history, at: .serializable)
        #expect(verdict.committedCount == 300)
        #expect(verdict.kinds == [])
    }

    @Test("A database without isolation is found out at every level", arguments: IsolationLevel.allCases)
    func noIsolationIsFound(level: IsolationLevel) throws {
        let workload = ListAppendWorkload(isolation: level, transactionCount: 200)
        let history = try history(workload) { context in
            ImmediateDatabase(context) { $0 % 5 == 0 ? .statement(.serializationFailure, message: "drawn") : nil }
        }
        let kinds = try IsolationVerdict(history, at: level).kinds
        #expect(
            Set(kinds).isSuperset(of: [.g0, .g1a, .g1b, .g1c, .incompatibleOrder, .internalInconsistency]), "\(kinds)")
    }

    @Test(
        "An error that says that nothing was committed is a failure, and nothing is run again",
        arguments: [
            DatabaseError.statement(.serializationFailure, message: "test"),
            .statement(.deadlockDetected, message: "test"), .connectionLost("test"), .poolTimeout(waited: .seconds(1)),
        ])
    func knownFailures(error: DatabaseError) throws {
        var workload = ListAppendWorkload(isolation: .readCommitted, transactionCount: 30)
        workload.sessionCount = 1
        let history = try history(workload) { context in ImmediateDatabase(context) { $0 % 3 == 0 ? error : nil } }
        let completions = history.operations.filter { $0.kind != .invoke }
        #expect(completions.map(\.kind) == (0..<30).map { $0 % 3 == 0 ? .fail : .ok })
        #expect(Set(history.operations.map(\.process)) == [0])
        #expect(try IsolationVerdict(history, at: .serializable).kinds == [])
    }

    @Test(
        "An unknown outcome is info, and its session goes on as another process; the verdict is right either way",
        arguments: [true, false])
    func unknownOutcomes(isApplied: Bool) throws {
        var workload = ListAppendWorkload(isolation: .readCommitted, transactionCount: 61)
        workload.sessionCount = 1
        let history = try history(workload) { context in
            ImmediateDatabase(context, appliesUnknownCommits: isApplied) {
                $0 % 10 == 9 ? .commitOutcomeUnknown("test") : nil
            }
        }
        let unknown = history.operations.filter { $0.kind == .info }
        #expect(unknown.count == 6)
        #expect(unknown.allSatisfy { $0.value.allSatisfy { $0 == $0.asInvoked } })
        #expect(Set(history.operations.map(\.process)) == Set(0..<7))
        // Whether or not the six took effect, one after another they break nothing.
        #expect(try IsolationVerdict(history, at: .serializable).kinds == [])
    }

    @Test("An error that another attempt would meet too ends the run")
    func setupErrorEndsRun() throws {
        let workload = ListAppendWorkload(isolation: .readCommitted, transactionCount: 10)
        #expect(throws: Violation.self) {
            try history(workload) { context in
                ImmediateDatabase(context) { _ in .statement(.undefinedTable, message: "test") }
            }
        }
    }
}

public import Ports

/// Transactions that read and append to a few lists at once, drawn at random, run by several concurrent sessions against any
/// database, simulated or real, and written down as a history.
///
/// A few lists are in use at a time, so that transactions meet; one that has had its share of appends is followed by a new
/// one, so that reads stay short and a history costs what is proportional to its length.
public struct ListAppendWorkload: Sendable {
    /// The level at which all of them run.
    public var isolation: IsolationLevel
    /// How many are drawn.
    public var transactionCount: Int
    /// How many run at once, each on a connection of its own.
    public var sessionCount = 8
    /// Steps of a transaction: at least one, at most so many.
    public var stepCountLimit = 4
    /// Lists in use at a time.
    public var activeListCount = 4
    /// Appends after which a list is followed by a new one.
    public var appendsPerList = 16

    /// So many transactions at one level; the other numbers are as usual.
    public init(isolation: IsolationLevel, transactionCount: Int) {
        self.isolation = isolation
        self.transactionCount = transactionCount
    }

    /// What the database must hold before ``run(on:clock:generator:)``: one table, empty.
    public static let schema = Schema(name: "isolation", version: 1, tables: [ListAppendTable.table])

    /// Draws the transactions. Each element of a list is one more than the one drawn before it, which says nothing of the
    /// order in which they are appended.
    public func transactions(_ generator: inout SplitMix64) -> [[ListOperation]] {
        precondition(
            transactionCount >= 0 && sessionCount > 0 && stepCountLimit > 0 && activeListCount > 0
                && appendsPerList > 0, "a workload without sessions, steps, lists or appends: \(self)")
        var active = (0..<Int64(activeListCount)).map { (key: $0, appendCount: 0) }
        var nextKey = Int64(activeListCount)
        return (0..<transactionCount).map { _ in
            let stepCount = 1 + Int(generator.next(below: UInt64(stepCountLimit)))
            return (0..<stepCount).map { _ in
                let choice = Int(generator.next(below: UInt64(activeListCount)))
                guard generator.next(below: 2) == 0 else { return .read(key: active[choice].key, elements: nil) }
                active[choice].appendCount += 1
                let step = ListOperation.append(key: active[choice].key, element: Int64(active[choice].appendCount))
                if active[choice].appendCount == appendsPerList {
                    active[choice] = (nextKey, 0)
                    nextKey += 1
                }
                return step
            }
        }
    }

    /// Runs the transactions and returns when all have ended. Nothing is run twice: one that failed is recorded as failed, or
    /// as unknown when the connection broke during its commit.
    ///
    /// - Parameters:
    ///   - database: holds ``schema``.
    ///   - clock: for the times in the history.
    /// - Throws: a statement error that another attempt would meet too, which says that the database is not set up;
    ///   ``ListAppendError``; whatever else is no ``Ports/DatabaseError``.
    public func run(
        on database: any Database, clock: any ServiceClock, generator: inout SplitMix64
    ) async throws -> History {
        let queue = Locked(transactions(&generator)[...])
        let recorder = HistoryRecorder(clock: clock, processCount: sessionCount)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for process in 0..<sessionCount {
                group.addTask {
                    var process = process
                    while let steps = queue.withLock({ $0.popFirst() }) {
                        recorder.record(.invoke, process: process, steps)
                        let (kind, value) = try await attempt(steps, database)
                        recorder.record(kind, process: process, value)
                        if kind == .info { process = recorder.newProcess() }
                    }
                }
            }
            try await group.waitForAll()
        }
        return recorder.history
    }

    private func attempt(
        _ steps: [ListOperation], _ database: any Database
    ) async throws -> (HistoryOperation.Kind, [ListOperation]) {
        do {
            let results = try await database.transaction(isolation) { session in
                var results: [ListOperation] = []
                for step in steps { results.append(try await perform(step, session)) }
                return results
            }
            return (.ok, results)
        } catch DatabaseError.commitOutcomeUnknown {
            return (.info, steps)
        } catch let error as DatabaseError where error.isSafeToRetry {
            return (.fail, steps)
        }
    }

    private func perform(_ step: ListOperation, _ session: any DatabaseSession) async throws -> ListOperation {
        switch step {
        case .read(let key, _):
            return .read(key: key, elements: try await ListAppendTable.read(key, session))
        case .append(let key, let element):
            try await ListAppendTable.append(element, to: key, session)
            return step
        }
    }
}

import SimCore

/// Lists of the hand-made histories.
let x: Int64 = 1
let y: Int64 = 2
let z: Int64 = 3

func append(_ key: Int64, _ element: Int64) -> ListOperation { .append(key: key, element: element) }
func read(_ key: Int64, _ elements: [Int64]) -> ListOperation { .read(key: key, elements: elements) }

/// A transaction of a hand-made history, with how it ended and, where that matters, when.
struct HandMadeTransaction {
    var kind: HistoryOperation.Kind?
    var operations: [ListOperation]
}

func committed(_ operations: ListOperation...) -> HandMadeTransaction { .init(kind: .ok, operations: operations) }
func aborted(_ operations: ListOperation...) -> HandMadeTransaction { .init(kind: .fail, operations: operations) }
func unknown(_ operations: ListOperation...) -> HandMadeTransaction { .init(kind: .info, operations: operations) }
/// Invoked, and never heard of again.
func unanswered(_ operations: ListOperation...) -> HandMadeTransaction { .init(kind: nil, operations: operations) }

/// All invoked before any completes, so that real time says nothing; each by a process of its own.
func concurrent(_ transactions: HandMadeTransaction...) -> History {
    var history = History()
    for (process, transaction) in transactions.enumerated() { history.invoke(process, transaction) }
    for (process, transaction) in transactions.enumerated() { history.complete(process, transaction) }
    return history
}

/// Each completes before the next is invoked.
func oneAfterAnother(_ transactions: HandMadeTransaction...) -> History {
    var history = History()
    for (process, transaction) in transactions.enumerated() {
        history.invoke(process, transaction)
        history.complete(process, transaction)
    }
    return history
}

extension History {
    mutating func invoke(_ process: Int, _ transaction: HandMadeTransaction) {
        add(process, .invoke, transaction.operations.map(\.asInvoked))
    }

    mutating func complete(_ process: Int, _ transaction: HandMadeTransaction) {
        guard let kind = transaction.kind else { return }
        add(process, kind, kind == .ok ? transaction.operations : transaction.operations.map(\.asInvoked))
    }

    private mutating func add(_ process: Int, _ kind: HistoryOperation.Kind, _ value: [ListOperation]) {
        let index = operations.count
        operations.append(
            HistoryOperation(process: process, kind: kind, value: value, index: index, time: Int64(index) * 1_000))
    }
}

extension ListOperation {
    var asInvoked: ListOperation {
        if case .read(let key, _) = self { .read(key: key, elements: nil) } else { self }
    }
}

/// The kinds of anomaly that a history shows.
func kinds(_ history: History, realtime: Bool = false) throws -> [AnomalyKind] {
    let anomalies = try AnomalyFinder(includesRealtime: realtime).anomalies(in: history)
    let seen = Set(anomalies.map(\.kind))
    return AnomalyKind.allCases.filter(seen.contains)
}

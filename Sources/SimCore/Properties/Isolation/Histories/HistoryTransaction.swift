/// A transaction of a history: its invocation and its completion taken together.
public struct HistoryTransaction: Hashable, Sendable {
    /// How it ended, as far as its client knows.
    public enum Outcome: String, Hashable, Sendable {
        /// It is known to have taken effect, or to have had none.
        case committed, aborted
        /// It may have committed; a read of what it appended proves that it did.
        case unknown
    }

    /// The thread of a client that ran it.
    public let process: Int
    /// How it ended.
    public let outcome: Outcome
    /// With what was read when it committed; reads of any other transaction are `nil`.
    public let operations: [ListOperation]
    /// Index of its invocation in the history.
    public let invocationIndex: Int
    /// Index of its completion; `nil` when it never completed.
    public let completionIndex: Int?

    /// How reports name it: `T` and the index of the line that says how it ended.
    public var name: String { "T\(completionIndex ?? invocationIndex)" }
}

extension HistoryTransaction: CustomStringConvertible {
    /// Its name, process, outcome and steps on one line.
    public var description: String {
        let steps = operations.map(\.description).joined(separator: ", ")
        return "\(name) (process \(process), \(outcome.rawValue)): \(steps)"
    }
}

/// A sequence of operations that cannot be a history, so that nothing can be concluded from it.
public enum HistoryError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A transaction ends that its process has not begun.
    case completionWithoutInvocation(index: Int, process: Int)
    /// A process begins a transaction while another of its own is open.
    case invocationBeforeCompletion(index: Int, process: Int, openSince: Int)
    /// Two appends to one list have the same element.
    case appendedTwice(index: Int, key: Int64, element: Int64)
    /// A transaction ends with other steps than it began with.
    case completionOfAnotherTransaction(index: Int, process: Int)
    /// A transaction committed, and what it read is not said.
    case unknownRead(index: Int, key: Int64)

    /// Which operation it is, what is wrong with it, and what was expected.
    public var description: String {
        switch self {
        case .completionWithoutInvocation(let index, let process):
            "operation \(index) completes a transaction of process \(process), which has none open"
        case .invocationBeforeCompletion(let index, let process, let openSince):
            "operation \(index) invokes a transaction of process \(process), whose transaction of operation \(openSince) has not completed; after an outcome of info, go on under another process"
        case .appendedTwice(let index, let key, let element):
            "operation \(index) appends \(element) to list \(key), which another append does too; elements must be unique in their list"
        case .completionOfAnotherTransaction(let index, let process):
            "operation \(index) completes other steps than process \(process) invoked"
        case .unknownRead(let index, let key):
            "operation \(index) committed, but what it read from list \(key) is null"
        }
    }
}

extension History {
    /// The transactions in order of their invocation. Linear in the history.
    ///
    /// - Throws: ``HistoryError`` when the operations are no history.
    public func transactions() throws(HistoryError) -> [HistoryTransaction] {
        var transactions: [HistoryTransaction] = []
        /// The open transaction of each process, by its place in `transactions`.
        var openByProcess: [Int: Int] = [:]
        var appended: Set<ListElement> = []
        for operation in operations {
            guard operation.kind != .invoke else {
                if let open = openByProcess[operation.process] {
                    throw .invocationBeforeCompletion(
                        index: operation.index, process: operation.process,
                        openSince: transactions[open].invocationIndex)
                }
                for case .append(let key, let element) in operation.value {
                    guard appended.insert(ListElement(key: key, element: element)).inserted else {
                        throw .appendedTwice(index: operation.index, key: key, element: element)
                    }
                }
                openByProcess[operation.process] = transactions.count
                transactions.append(HistoryTransaction(invocation: operation))
                continue
            }
            guard let open = openByProcess[operation.process] else {
                throw .completionWithoutInvocation(index: operation.index, process: operation.process)
            }
            transactions[open] = try transactions[open].completed(by: operation)
            // After info the process stays open for ever, and another invocation of it is an error.
            if operation.kind != .info { openByProcess[operation.process] = nil }
        }
        return transactions
    }
}

/// An element of one list.
struct ListElement: Hashable {
    let key: Int64
    let element: Int64
}

extension HistoryTransaction {
    fileprivate init(invocation: HistoryOperation) {
        self.init(
            process: invocation.process, outcome: .unknown, operations: invocation.value.map(\.withoutResult),
            invocationIndex: invocation.index, completionIndex: nil)
    }

    fileprivate func completed(by operation: HistoryOperation) throws(HistoryError) -> HistoryTransaction {
        guard completionIndex == nil else {
            throw .completionWithoutInvocation(index: operation.index, process: process)
        }
        guard operation.value.map(\.withoutResult) == operations else {
            throw .completionOfAnotherTransaction(index: operation.index, process: process)
        }
        let outcome: Outcome =
            switch operation.kind {
            case .ok: .committed
            case .fail: .aborted
            case .info, .invoke: .unknown
            }
        if outcome == .committed {
            for case .read(let key, nil) in operation.value {
                throw .unknownRead(index: operation.index, key: key)
            }
        }
        return HistoryTransaction(
            process: process, outcome: outcome, operations: outcome == .committed ? operation.value : operations,
            invocationIndex: invocationIndex, completionIndex: operation.index)
    }
}

extension ListOperation {
    /// The step as it was asked for.
    fileprivate var withoutResult: ListOperation {
        switch self {
        case .append: self
        case .read(let key, _): .read(key: key, elements: nil)
        }
    }
}

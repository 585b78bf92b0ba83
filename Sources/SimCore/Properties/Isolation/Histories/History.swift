/// What clients of a database saw, in the order in which they saw it: invocations and completions of transactions over
/// named lists. The shape is that of Jepsen, so that its checkers read it too.
///
/// Every element is appended to a list at most once, which is what lets a checker tell from a list's elements who wrote it
/// (Kingsbury, Alvaro: "Elle: Inferring isolation anomalies from experimental observations", VLDB 2020).
public struct History: Hashable, Sendable {
    /// In the order in which the clients saw them.
    public var operations: [HistoryOperation]

    /// A history of these operations; whether it can be one is looked at when it is judged.
    public init(_ operations: [HistoryOperation] = []) { self.operations = operations }
}

/// One line of a history: a client asks for a transaction, or learns how it ended.
public struct HistoryOperation: Hashable, Sendable {
    /// What a line says of its transaction.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// The client asked for the transaction; its reads are not known yet.
        case invoke
        /// It is known to have committed; its reads are known.
        case ok
        /// It is known to have had no effect.
        case fail
        /// Nobody knows. It may have committed, or may yet; its process does nothing more.
        case info
    }

    /// One logical thread of a client: never has two transactions open.
    public let process: Int
    /// Whether it asks for the transaction, or says how that ended.
    public let kind: Kind
    /// The steps of the transaction, in order.
    public let value: [ListOperation]
    /// Position in the history.
    public let index: Int
    /// Nanoseconds since the history began.
    public let time: Int64

    /// One line, as it was seen or read.
    public init(process: Int, kind: Kind, value: [ListOperation], index: Int, time: Int64) {
        self.process = process
        self.kind = kind
        self.value = value
        self.index = index
        self.time = time
    }
}

/// One step of a transaction.
public enum ListOperation: Hashable, Sendable {
    /// Adds an element behind the last. No other append to that list has the same one.
    case append(key: Int64, element: Int64)
    /// The elements read, first to last; `nil` when they are not known. A list that was never written is empty.
    case read(key: Int64, elements: [Int64]?)

    /// The list concerned.
    public var key: Int64 {
        switch self {
        case .append(let key, _), .read(let key, _): key
        }
    }
}

extension ListOperation: CustomStringConvertible {
    /// In words: `append 3 to list 7`, `read [1, 2] from list 7`.
    public var description: String {
        switch self {
        case .append(let key, let element): "append \(element) to list \(key)"
        case .read(let key, nil): "read list \(key)"
        case .read(let key, let elements?): "read \(elements) from list \(key)"
        }
    }
}

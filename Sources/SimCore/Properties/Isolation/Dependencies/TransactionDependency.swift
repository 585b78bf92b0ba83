/// Why one transaction comes before another (Adya, Liskov, O'Neil: "Generalized isolation level definitions", ICDE 2000).
public enum DependencyKind: String, Hashable, Sendable, CaseIterable {
    /// The second appended to a list after the first did.
    case writeWrite = "ww"
    /// The second read what the first had appended.
    case writeRead = "wr"
    /// The first read a list as it was before the second appended to it: an anti-dependency.
    case readWrite = "rw"
    /// The first had completed before the second was invoked.
    case realtime
}

/// An edge of the dependency graph: ``source`` comes before ``target``.
public struct TransactionDependency: Hashable, Sendable {
    /// Why the one comes before the other.
    public let kind: DependencyKind
    /// Position of the earlier transaction in ``DependencyGraph/transactions``.
    public let source: Int
    /// Position of the later transaction there.
    public let target: Int
    /// The list concerned; `nil` for ``DependencyKind/realtime``.
    public let key: Int64?
    /// The list's last element before the target's append, or the element that the target read; `nil` for the empty list.
    public let previousElement: Int64?
    /// The element that the target appended, for ``DependencyKind/writeWrite`` and ``DependencyKind/readWrite``.
    public let appendedElement: Int64?

    init(
        _ kind: DependencyKind, from source: Int, to target: Int, key: Int64? = nil, previous: Int64? = nil,
        appended: Int64? = nil
    ) {
        self.kind = kind
        self.source = source
        self.target = target
        self.key = key
        previousElement = previous
        appendedElement = appended
    }
}

extension DependencyGraph {
    /// The dependency as a sentence with its transactions, list and elements.
    public func explanation(of dependency: TransactionDependency) -> String {
        let source = transactions[dependency.source].name
        let target = transactions[dependency.target].name
        let list = dependency.key.map { "list \($0)" } ?? ""
        let previous = dependency.previousElement.map(String.init) ?? "nothing"
        let appended = dependency.appendedElement.map(String.init) ?? "nothing"
        switch dependency.kind {
        case .writeWrite:
            return
                "\(source) before \(target) (ww): \(target) appended \(appended) to \(list) after \(source)'s \(previous)"
        case .writeRead:
            return "\(source) before \(target) (wr): \(target) read \(source)'s append of \(previous) to \(list)"
        case .readWrite:
            let state = dependency.previousElement.map { "with \($0) as its last element" } ?? "while it was empty"
            return
                "\(source) before \(target) (rw): \(source) read \(list) \(state), without \(target)'s append of \(appended)"
        case .realtime:
            return "\(source) before \(target) (realtime): \(source) had completed before \(target) was invoked"
        }
    }
}

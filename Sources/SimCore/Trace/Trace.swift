public import Ports

/// One dispatched event of a recorded run.
public struct TraceEntry: Hashable, Sendable, Codable {
    /// The number of the event, from one: how many had been dispatched with it. A ``Violation`` names its event by the same
    /// number.
    public let step: UInt64
    /// Virtual time.
    public let at: Nanoseconds
    /// Trace hash after this event.
    public let hash: UInt64
    /// The process that it concerns, or `simulation`.
    public let subject: String
    /// What happened, in words.
    public let what: String

    /// An entry as it was written.
    public init(step: UInt64, at: Nanoseconds, hash: UInt64, subject: String, what: String) {
        self.step = step
        self.at = at
        self.hash = hash
        self.subject = subject
        self.what = what
    }
}

extension TraceEntry: CustomStringConvertible {
    /// The entry on one line. Its time is given to the nanosecond: two runs may part by no more.
    public var description: String { "#\(step) at \(exactTime) \(subject): \(what)" }

    private var exactTime: String {
        let fraction = String(at.rawValue % 1_000_000_000 + 1_000_000_000).dropFirst()
        return "\(at.rawValue / 1_000_000_000).\(fraction)s"
    }
}

/// A recorded run, event by event. Costs some hundred bytes an event, so it is recorded for single runs only.
public struct Trace: Hashable, Sendable, Codable {
    /// The events in the order in which they were dispatched.
    public private(set) var entries: [TraceEntry] = []
    /// Entries beyond this are not kept, and ``droppedCount`` says how many there were.
    public let capacity: Int
    /// How many events came after the last that was kept.
    public private(set) var droppedCount: UInt64 = 0

    /// - Parameter capacity: the most entries kept; what comes later is counted only.
    public init(capacity: Int = 2_000_000) { self.capacity = capacity }

    /// A trace read back from where it was written.
    public init(entries: [TraceEntry]) {
        self.entries = entries
        capacity = entries.count
    }

    mutating func append(_ entry: TraceEntry) {
        if entries.count < capacity { entries.append(entry) } else { droppedCount += 1 }
    }
}

/// Where two recorded runs part: the first event that differs, with its neighbours from both.
public struct Divergence: Hashable, Sendable, Codable {
    /// The number of that event, as ``TraceEntry/step`` has it.
    public let step: UInt64
    /// What the recorded run dispatched there; `nil` when it had ended.
    public let expected: TraceEntry?
    /// What the other run dispatched there; `nil` when it had ended.
    public let found: TraceEntry?
    /// Some events before and after it in the recorded run, with itself.
    public let expectedNeighbours: [TraceEntry]
    /// The same from the other run.
    public let foundNeighbours: [TraceEntry]

    /// Compares two runs from their beginning; `nil` when neither dispatched anything that the other did not.
    ///
    /// - Parameter neighbourCount: so many events are kept on each side of the first that differs.
    ///
    /// Hashes are cumulative, so that the first difference is found by bisection: logarithmic in the shorter run.
    public static func first(
        between expected: Trace, and found: Trace, neighbourCount: Int = 3
    ) -> Divergence? {
        let (left, right) = (expected.entries, found.entries)
        var low = 0
        var high = min(left.count, right.count)
        // Cumulative hashes: everything before the first difference is equal, everything after it differs.
        while low < high {
            let middle = (low + high) / 2
            if left[middle].hash == right[middle].hash { low = middle + 1 } else { high = middle }
        }
        if low == left.count, low == right.count { return nil }
        func neighbours(_ entries: [TraceEntry]) -> [TraceEntry] {
            let from = max(0, low - neighbourCount)
            let to = min(entries.count, low + neighbourCount + 1)
            return from < to ? Array(entries[from..<to]) : []
        }
        return Divergence(
            step: UInt64(low + 1), expected: low < left.count ? left[low] : nil,
            found: low < right.count ? right[low] : nil, expectedNeighbours: neighbours(left),
            foundNeighbours: neighbours(right))
    }
}

extension Divergence: CustomStringConvertible {
    /// The event of both runs and its neighbours, on several lines.
    public var description: String {
        var lines = ["first difference at event #\(step)"]
        lines.append("  recorded: \(expected.map(String.init(describing:)) ?? "the run had ended")")
        lines.append("  this run: \(found.map(String.init(describing:)) ?? "the run had ended")")
        if let expected, let found, expected.description == found.description {
            lines.append("  the two read the same: what differs is in the event's payload and not in its words")
        }
        lines.append("  around it, as recorded:")
        lines += expectedNeighbours.map { "    \($0)" }
        lines.append("  around it, in this run:")
        lines += foundNeighbours.map { "    \($0)" }
        return lines.joined(separator: "\n")
    }
}

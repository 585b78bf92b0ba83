/// What a run is called on the command line: the words that reports print are the ones that the command reads.
extension FaultSelection {
    /// Reads `all`, `none`, or names separated by commas.
    public init(_ text: String) {
        switch text {
        case "all": self = .all
        case "none": self = .none
        default: self = .only(text.split(separator: ",").map(String.init))
        }
    }

    /// What ``init(_:)`` reads.
    public var word: String {
        switch self {
        case .all: "all"
        case .none: "none"
        case .only(let kinds): kinds.joined(separator: ",")
        }
    }
}

extension Scheduling {
    /// How many lowerings of a priority, plus one, can be asked for in words and in files.
    public static let depthRange = 1...1_000
    /// Among how many first steps they can be asked for in words and in files.
    public static let stepCountRange = 1...1_000_000_000

    private static let usualPriorities = Scheduling.priorities(depth: 3, stepCount: 10_000)

    /// Reads `in-order`, `random`, `pct` (depth 3, 10,000 steps) or `pct=DEPTH,STEPS`, as the command line has them.
    ///
    /// - Returns: `nil` for anything else, and for a depth or a number of steps out of range.
    public init?(_ text: String) {
        switch text {
        case "in-order": self = .inOrder
        case "random": self = .random
        case "pct": self = Self.usualPriorities
        default:
            guard text.hasPrefix("pct=") else { return nil }
            let numbers = text.dropFirst("pct=".count).split(separator: ",", omittingEmptySubsequences: false)
            guard numbers.count == 2, let depth = Int(numbers[0]), let stepCount = Int(numbers[1]),
                Self.depthRange.contains(depth), Self.stepCountRange.contains(stepCount)
            else { return nil }
            self = .priorities(depth: depth, stepCount: stepCount)
        }
    }

    /// What ``init(_:)`` reads: two policies that differ have different words.
    public var word: String {
        switch self {
        case .inOrder: "in-order"
        case .random: "random"
        case Self.usualPriorities: "pct"
        case .priorities(let depth, let stepCount): "pct=\(depth),\(stepCount)"
        }
    }
}

/// A word as a shell reads it back: quoted unless every character of it is harmless.
package func shellQuoted(_ word: String) -> String {
    let isHarmless = word.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "._/=,-".utf8.contains(byte)
        }
    }
    if isHarmless, !word.isEmpty { return word }
    let parts = word.split(separator: "'", omittingEmptySubsequences: false)
    return "'\(parts.joined(separator: #"'\''"#))'"
}

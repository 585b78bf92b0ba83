import Foundation

/// What the command line asked for was not understood. One line that names the thing and what was expected.
struct UsageError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// The words of a command line, taken one by one; what is left over at the end is an error.
struct Arguments {
    private var words: [String]
    /// Options that were taken: what is left of them was given twice.
    private var taken: Set<String> = []

    init(_ words: [String]) { self.words = words }

    /// Takes a flag without a value.
    mutating func takeFlag(_ name: String) -> Bool {
        guard let index = words.firstIndex(of: name) else { return false }
        words.remove(at: index)
        return true
    }

    /// Takes `--name value` or `--name=value`.
    mutating func takeValue(_ name: String) throws -> String? {
        taken.insert(name)
        if let index = words.firstIndex(where: { $0.hasPrefix(name + "=") }) {
            return String(words.remove(at: index).dropFirst(name.count + 1))
        }
        guard let index = words.firstIndex(of: name) else { return nil }
        guard index + 1 < words.count else { throw UsageError("\(name) needs a value") }
        let value = words[index + 1]
        words.removeSubrange(index...(index + 1))
        return value
    }

    mutating func takeInteger(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
        guard let text = try takeValue(name) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw UsageError(
                "\(name) is '\(text)'; expected a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// The first word that nobody has taken.
    var firstLeft: String? { words.first }

    /// Takes a single seed.
    mutating func takeSeed(_ name: String) throws -> UInt64? {
        guard let text = try takeValue(name) else { return nil }
        guard let seed = UInt64(text) else {
            let hint = text.contains("..") ? "; for a range see simulate run --seeds" : ""
            throw UsageError("\(name) is '\(text)'; expected one seed, a whole number\(hint)")
        }
        return seed
    }

    /// Takes a seed range `A..B`, or a single seed.
    mutating func takeSeeds(_ name: String) throws -> ClosedRange<UInt64>? {
        guard let text = try takeValue(name) else { return nil }
        let parts = text.components(separatedBy: "..")
        guard parts.count <= 2, let first = UInt64(parts[0]), let last = UInt64(parts[parts.count - 1]) else {
            throw UsageError("\(name) is '\(text)'; expected A..B with whole numbers, for example 1..1000")
        }
        guard first <= last else {
            throw UsageError("\(name) is '\(text)', which is backwards; expected A..B with A at most B")
        }
        guard last - first < UInt64(Int32.max) else {
            throw UsageError("\(name) is '\(text)'; expected at most \(Int32.max) seeds, for example 1..1000")
        }
        return first...last
    }

    /// Takes the first word that is not an option.
    mutating func takeWord() -> String? {
        guard let index = words.firstIndex(where: { !$0.hasPrefix("-") }) else { return nil }
        return words.remove(at: index)
    }

    /// - Throws: when a word was not taken.
    func finish() throws {
        guard let word = words.first else { return }
        let name = String(word.prefix { $0 != "=" })
        if taken.contains(name) { throw UsageError("\(name) is given twice; expected it once") }
        throw UsageError("unknown option or word '\(word)'; see --help")
    }
}

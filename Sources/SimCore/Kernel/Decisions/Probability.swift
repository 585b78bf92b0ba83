/// A probability in parts per million. An integer, since no decision rests on floating point.
public struct Probability: Hashable, Comparable, Sendable, Codable {
    public let partsPerMillion: UInt32

    /// - Precondition: at most one million.
    @inlinable public init(partsPerMillion: UInt32) {
        precondition(partsPerMillion <= 1_000_000, "a probability of \(partsPerMillion) parts per million is above one")
        self.partsPerMillion = partsPerMillion
    }

    public static let never = Probability(partsPerMillion: 0)
    public static let always = Probability(partsPerMillion: 1_000_000)
    @inlinable public static func percent(_ percent: UInt32) -> Probability {
        Probability(partsPerMillion: percent * 10_000)
    }
    @inlinable public static func perMille(_ perMille: UInt32) -> Probability {
        Probability(partsPerMillion: perMille * 1_000)
    }
    @inlinable public static func < (left: Probability, right: Probability) -> Bool {
        left.partsPerMillion < right.partsPerMillion
    }
}

extension Probability: CustomStringConvertible {
    public var description: String { "\(partsPerMillion) ppm" }
}

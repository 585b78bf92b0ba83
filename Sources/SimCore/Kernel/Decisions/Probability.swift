/// A probability in parts per million. An integer, since no decision rests on floating point.
public struct Probability: Hashable, Comparable, Sendable, Codable {
    /// From none to one million.
    public let partsPerMillion: UInt32

    /// - Precondition: at most one million.
    @inlinable public init(partsPerMillion: UInt32) {
        precondition(partsPerMillion <= 1_000_000, "a probability of \(partsPerMillion) parts per million is above one")
        self.partsPerMillion = partsPerMillion
    }

    /// It does not happen; asking for it draws nothing.
    public static let never = Probability(partsPerMillion: 0)
    /// It happens each time.
    public static let always = Probability(partsPerMillion: 1_000_000)
    /// - Precondition: at most 100.
    @inlinable public static func percent(_ percent: UInt32) -> Probability {
        Probability(partsPerMillion: percent * 10_000)
    }
    /// - Precondition: at most 1,000.
    @inlinable public static func perMille(_ perMille: UInt32) -> Probability {
        Probability(partsPerMillion: perMille * 1_000)
    }
    /// Whether the first is less likely.
    @inlinable public static func < (left: Probability, right: Probability) -> Bool {
        left.partsPerMillion < right.partsPerMillion
    }
}

extension Probability: CustomStringConvertible {
    /// With its unit, `ppm`.
    public var description: String { "\(partsPerMillion) ppm" }
}

public import Ports

/// Random ids (UUID version 4) from the system's generator.
public struct RandomIdentifiers: Identifiers {
    public init() {}

    public func next() -> UniqueID {
        var generator = SystemRandomNumberGenerator()
        return UniqueID(randomHigh: generator.next(), randomLow: generator.next())
    }
}

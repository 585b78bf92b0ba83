import Ports

/// The digits of a number as they are read, and the value they make.
struct DecimalDigits {
    let isNegative: Bool
    /// All digits, with the decimal point left out.
    private(set) var magnitude: UInt64 = 0
    private(set) var hasOverflowed = false
    /// How many of the digits stand behind the decimal point.
    private(set) var scale = 0
    var exponent = 0

    init(isNegative: Bool) { self.isNegative = isNegative }

    mutating func append(_ digit: UInt8, isFraction: Bool) {
        let (tenfold, overflow) = magnitude.multipliedReportingOverflow(by: 10)
        let (sum, carry) = tenfold.addingReportingOverflow(UInt64(digit))
        hasOverflowed = hasOverflowed || overflow || carry
        magnitude = sum
        if isFraction { scale += 1 }
    }

    /// The number as JSON keeps it; `nil` when it does not fit.
    var value: JSONValue? {
        guard !hasOverflowed else { return nil }
        let places = scale - exponent
        if places > 0 {
            guard places <= Int(UInt8.max), let unscaled = signed(magnitude) else { return nil }
            return .decimal(unscaled: unscaled, scale: UInt8(places))
        }
        guard magnitude != 0 else { return .integer(0) }
        var shifted = magnitude
        for _ in 0..<(-places) {
            let (tenfold, overflow) = shifted.multipliedReportingOverflow(by: 10)
            guard !overflow else { return nil }
            shifted = tenfold
        }
        return signed(shifted).map { .integer($0) }
    }

    private func signed(_ magnitude: UInt64) -> Int64? {
        guard isNegative else { return Int64(exactly: magnitude) }
        return magnitude <= Int64.min.magnitude ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil
    }
}

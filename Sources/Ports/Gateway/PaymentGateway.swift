/// An amount of money: integer minor units (cents) of a currency. Never a floating-point number.
public struct Money: Hashable, Sendable {
    public let minorUnits: Int64
    /// ISO 4217 code, for example `USD`.
    public let currency: String

    public init(minorUnits: Int64, currency: String) {
        self.minorUnits = minorUnits
        self.currency = currency
    }
}

/// What the provider knows of one idempotency key.
public enum GatewayOutcome: Hashable, Sendable {
    case captured(reference: String)
    case refused(reason: String)
    case refunded(reference: String)
    /// The provider has never seen the key.
    case unknownKey
}

/// The gateway port: a payment provider. The same idempotency key never captures twice.
///
/// A call that throws ``HTTPError/timedOut(after:)`` or ``HTTPError/connectionReset(_:)`` may have taken effect:
/// persist the key before the call, use it again on retry, then ask with ``outcome(of:)``.
public protocol PaymentGateway: Sendable {
    /// Takes the money. `callback` is what the provider repeats in its asynchronous notification, at least once.
    func capture(_ amount: Money, idempotencyKey: String, callback: String) async throws -> GatewayOutcome
    /// Gives back what `captureKey` took; idempotent by that key.
    func refund(captureKey: String) async throws -> GatewayOutcome
    /// What became of a key.
    func outcome(of idempotencyKey: String) async throws -> GatewayOutcome
}

public import Ports

/// The gateway port over HTTP: what the payment service calls, simulated and real.
///
/// `POST /captures` with `{key, amount, currency, callback}`, `POST /refunds` and `POST /outcomes` with `{key}`; each answers
/// 200 with `{state, reference}`, where the state is `captured`, `refused`, `refunded` or `unknown`.
public struct HTTPPaymentGateway: PaymentGateway {
    /// How long the caller waits for the provider.
    public static let timeout = Nanoseconds.seconds(2)

    private let http: any HTTPClient

    public init(_ http: any HTTPClient) { self.http = http }

    public func capture(_ amount: Money, idempotencyKey: String, callback: String) async throws -> GatewayOutcome {
        try await call(
            "/captures",
            [
                "key": .string(idempotencyKey), "amount": .integer(amount.minorUnits),
                "currency": .string(amount.currency), "callback": .string(callback),
            ])
    }

    public func refund(captureKey: String) async throws -> GatewayOutcome {
        try await call("/refunds", ["key": .string(captureKey)])
    }

    public func outcome(of idempotencyKey: String) async throws -> GatewayOutcome {
        try await call("/outcomes", ["key": .string(idempotencyKey)])
    }

    private func call(_ path: String, _ body: JSONValue) async throws -> GatewayOutcome {
        let response = try await http.send(HTTPRequest(.post, path, body: .json(body)), timeout: Self.timeout)
        guard response.status == 200, let json = response.json, let state = json["state"]?.stringValue else {
            throw HTTPError.status(response.status)
        }
        let reference = json["reference"]?.stringValue ?? ""
        switch state {
        case "captured": return .captured(reference: reference)
        case "refused": return .refused(reason: "card refused")
        case "refunded": return .refunded(reference: reference)
        default: return .unknownKey
        }
    }
}

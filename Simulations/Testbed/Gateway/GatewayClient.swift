import Ports

/// The gateway port over HTTP, as the payment service uses it.
struct GatewayClient: PaymentGateway {
    /// How long the payment service waits for the provider.
    static let timeout = Nanoseconds.seconds(2)

    let http: any HTTPClient

    func capture(_ amount: Money, idempotencyKey: String, callback: String) async throws -> GatewayOutcome {
        try await call(
            "/captures",
            [
                "key": .string(idempotencyKey), "amount": .integer(amount.minorUnits),
                "currency": .string(amount.currency), "callback": .string(callback),
            ])
    }

    func refund(captureKey: String) async throws -> GatewayOutcome {
        try await call("/refunds", ["key": .string(captureKey)])
    }

    func outcome(of idempotencyKey: String) async throws -> GatewayOutcome {
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

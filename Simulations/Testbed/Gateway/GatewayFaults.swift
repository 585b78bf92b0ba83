import Ports
import SimCore

/// The provider's own faults.
enum GatewayFaults {
    static func register(with controller: FaultController, books: GatewayProvider.Books) {
        controller.register(
            FaultDefinition(
                "gateway-timeout-with-effect",
                summary: "the provider captures, and answers after the caller has given up",
                targets: .none, parameters: [probability], lasting: .seconds(1)...(.seconds(30))
            ) { injection in
                books.mood.answersTooLate.append((Self.probability(injection), injection.id))
                return { books.mood.answersTooLate.removeAll { $0.fault == injection.id } }
            })
        controller.register(
            FaultDefinition(
                "gateway-duplicate-callback", summary: "the provider sends its notifications several times",
                targets: .none, parameters: [probability], lasting: .seconds(1)...(.seconds(30))
            ) { injection in
                books.mood.repeatsCallbacks.append((Self.probability(injection), injection.id))
                return { books.mood.repeatsCallbacks.removeAll { $0.fault == injection.id } }
            })
        controller.register(
            FaultDefinition(
                "gateway-refusals", summary: "the provider refuses many cards", targets: .none,
                parameters: [probability], lasting: .seconds(1)...(.seconds(30))
            ) { injection in
                books.mood.refuses.append((Self.probability(injection), injection.id))
                return { books.mood.refuses.removeAll { $0.fault == injection.id } }
            })
    }

    private static let probability = FaultParameter(
        "probability", unit: "ppm", default: 300_000, in: 10_000...1_000_000)

    private static func probability(_ injection: FaultInjection) -> Probability {
        Probability(partsPerMillion: UInt32(injection.parameter("probability")))
    }
}

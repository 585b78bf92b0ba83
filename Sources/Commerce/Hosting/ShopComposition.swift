import Domain
import Outbox
import Ports

/// What the shop is made of, as its own declarations say: one list for every way of running it.
enum ShopComposition {
    /// A service as a host needs it.
    struct Service: Sendable {
        let name: String
        let defaultPort: Int
        let schema: Schema
        let producedTopics: [String]
        let consumedTopics: [String]
        let make: @Sendable (ServicePorts, any PaymentGateway, ShopSettings) -> any ShopService

        init<Made: ShopService>(
            _ type: Made.Type, _ make: @escaping @Sendable (ServicePorts, any PaymentGateway, ShopSettings) -> Made
        ) {
            name = type.name
            defaultPort = type.defaultPort
            schema = type.schema
            producedTopics = type.producedTopics
            consumedTopics = type.consumedTopics
            self.make = make
        }
    }

    static let services = [
        Service(OrderService.self) { ports, _, settings in OrderService(ports, settings: settings) },
        Service(PaymentService.self) { PaymentService($0, gateway: $1, settings: $2) },
        Service(InventoryService.self) { ports, _, settings in InventoryService(ports, settings: settings) },
        Service(ShippingService.self) { ports, _, settings in ShippingService(ports, settings: settings) },
        Service(NotificationService.self) { ports, _, settings in NotificationService(ports, settings: settings) },
    ]

    static var serviceNames: [String] { services.map(\.name) }
    /// Services whose outbox a relay publishes. What announces nothing of its own has no topic, and dead letters only.
    static var publishingNames: [String] { services.filter { !$0.producedTopics.isEmpty }.map(\.name) }
    static var topics: [String] { services.flatMap(\.producedTopics) }

    static func service(named name: String) -> Service? { services.first { $0.name == name } }
}

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
        /// Topics on which its outbox is published: its own, and dead letters of what it consumes.
        var outboxTopics: [String] {
            producedTopics
                + consumedTopics.map { $0 + ParkedEvents.deadLetterSuffix }.filter { !producedTopics.contains($0) }
        }
        let operations: [HTTPOperation]
        let make: @Sendable (ServicePorts, any PaymentGateway, ShopSettings) -> any ShopService

        init<Made: ShopService>(
            _ type: Made.Type, _ operations: [HTTPOperation],
            _ make: @escaping @Sendable (ServicePorts, any PaymentGateway, ShopSettings) -> Made
        ) {
            name = type.name
            defaultPort = type.defaultPort
            schema = type.schema
            producedTopics = type.producedTopics
            consumedTopics = type.consumedTopics
            self.operations = operations
            self.make = make
        }
    }

    static let services = [
        Service(OrderService.self, OrderService.operations) { ports, _, settings in
            OrderService(ports, settings: settings)
        },
        Service(PaymentService.self, PaymentService.operations) { PaymentService($0, gateway: $1, settings: $2) },
        Service(InventoryService.self, InventoryService.operations) { ports, _, settings in
            InventoryService(ports, settings: settings)
        },
        Service(ShippingService.self, ShippingService.operations) { ports, _, settings in
            ShippingService(ports, settings: settings)
        },
        Service(NotificationService.self, NotificationService.operations) { ports, _, settings in
            NotificationService(ports, settings: settings)
        },
    ]

    static var serviceNames: [String] { services.map(\.name) }
    static var topics: [String] { services.flatMap(\.producedTopics) }

    static func service(named name: String) -> Service? { services.first { $0.name == name } }
}

public import Ports

/// Everything that matters of one order: what the databases, the log, the payment provider and the clients know of it.
/// The properties of one order are functions of this alone, so a finished order can be judged and forgotten.
///
/// An item whose prices were announced has a history too, of its events only.
public struct OrderHistory: Sendable {
    /// The order's own row.
    public struct OrderPart: Hashable, Sendable {
        public var status: OrderStatus
        /// Minor units.
        public var totalPrice: Int64
    }

    public struct PaymentPart: Hashable, Sendable {
        public var status: PaymentStatus
        public var method: PaymentMethod
        /// Minor units.
        public var amount: Int64
        /// How far the attempt at the gateway is; `nil` when it was never asked.
        public var attempt: GatewayAttemptState?
    }

    /// A capture in the provider's own books.
    public struct Capture: Hashable, Sendable {
        public var key: String
        /// Minor units.
        public var amount: Int64
        public var isRefunded: Bool

        public init(key: String, amount: Int64, isRefunded: Bool) {
            self.key = key
            self.amount = amount
            self.isRefunded = isRefunded
        }
    }

    /// An event of the order.
    public struct EventPart: Hashable, Sendable {
        public let id: UniqueID
        public let producer: ShopServiceName
        /// `nil` for types that the shop does not know, dead letters among them.
        public let type: ShopEventType?
        public let aggregateVersion: Int64
        /// The event that led to it; `nil` when it was a request or a deadline.
        public let causation: UniqueID?
        /// Records of it in the log.
        public var publishedCount = 0
        /// Consumers at which it is parked.
        public var parkedAt: [ShopServiceName] = []
    }

    /// That a consumer applied an event (its inbox row was committed).
    public struct Application: Hashable, Sendable {
        public let consumer: ShopServiceName
        public let eventID: UniqueID

        public init(consumer: ShopServiceName, eventID: UniqueID) {
            self.consumer = consumer
            self.eventID = eventID
        }
    }

    /// A committed step of the order, or notification of it, by its id on the stream.
    public struct Step: Hashable, Sendable {
        public let id: Int64
        public let status: OrderStatus
        /// The event that a notification was made of.
        public let eventID: UniqueID?

        public init(id: Int64, status: OrderStatus, eventID: UniqueID? = nil) {
            self.id = id
            self.status = status
            self.eventID = eventID
        }
    }

    /// Something that a client was told.
    public enum Promise: Hashable, Sendable {
        /// `POST /orders` was answered with 201.
        case placed(key: String)
        /// A cancellation was answered with a status; CANCELLED is final.
        case cancelled(OrderStatus)
        /// A payment was answered with a status.
        case paid(PaymentStatus)
    }

    /// A status that a subscriber received on a stream.
    public struct Sighting: Hashable, Sendable {
        public enum Stream: Hashable, Sendable { case order, feed }
        public let stream: Stream
        /// Tells subscribers apart. One that reconnects with its `Last-Event-ID` stays the same.
        public let subscriber: Int
        public let id: Int64
        public let status: OrderStatus

        public init(stream: Stream, subscriber: Int, id: Int64, status: OrderStatus) {
            self.stream = stream
            self.subscriber = subscriber
            self.id = id
            self.status = status
        }
    }

    public let id: UniqueID
    public var order: OrderPart?
    public var payment: PaymentPart?
    public var reservation: ReservationStatus?
    public var shipment: ShipmentStatus?
    public var captures: [Capture] = []
    /// In the order in which they were committed.
    public var events: [EventPart] = []
    /// Ids found in the log that no committed outbox row had (yet).
    public var ghosts: [UniqueID] = []
    /// In the order in which they were committed.
    public var applications: [Application] = []
    public var steps: [Step] = []
    public var notifications: [Step] = []
    public var promises: [Promise] = []
    public var sightings: [Sighting] = []
    /// Sightings that came before what they tell of was committed; known only where both are observed as they happen.
    public var prematureSightings: [Sighting] = []
    /// Orders that the same request placed before; there must be none.
    public var twins: [UniqueID] = []

    public init(id: UniqueID) { self.id = id }
}

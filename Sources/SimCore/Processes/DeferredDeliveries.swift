/// What came for a process while it was frozen, in order of arrival.
struct DeferredDeliveries {
    enum Delivery {
        /// An event, and the handle by which it can still be cancelled.
        case event(KernelEvent, EventQueue<KernelEvent>.Handle)
        case wake(WaiterID, WakeReason, UInt64)
        /// The main function of an incarnation that was started meanwhile.
        case main(ProcessContext)
    }

    private var deliveries = FIFOQueue<Delivery>()

    var isEmpty: Bool { deliveries.isEmpty }

    mutating func append(_ delivery: Delivery) { deliveries.append(delivery) }

    mutating func popFirst() -> Delivery? { deliveries.popFirst() }

    mutating func removeAll() { deliveries.removeAll() }

    /// Takes an event back. Linear in what is waiting.
    mutating func cancel(_ handle: EventQueue<KernelEvent>.Handle) {
        deliveries.filter { if case .event(_, handle) = $0 { false } else { true } }
    }
}

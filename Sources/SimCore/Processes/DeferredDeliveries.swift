/// What came for a process while it was frozen, in order of arrival.
struct DeferredDeliveries {
    enum Delivery {
        /// An event, and the handle by which it can still be cancelled.
        case event(KernelEvent, EventQueue<KernelEvent>.Handle)
        case wake(WaiterID, WakeReason, UInt64)
        /// The main function of an incarnation that was started meanwhile.
        case main(ProcessContext)
    }

    private var deliveries: ContiguousArray<Delivery> = []
    private var head = 0

    var isEmpty: Bool { head == deliveries.count }

    mutating func append(_ delivery: Delivery) { deliveries.append(delivery) }

    mutating func popFirst() -> Delivery? {
        guard head < deliveries.count else { return nil }
        defer {
            head += 1
            if head == deliveries.count { removeAll() }
        }
        return deliveries[head]
    }

    mutating func removeAll() {
        deliveries.removeAll()
        head = 0
    }

    /// Takes an event back. Linear in what is waiting.
    mutating func cancel(_ handle: EventQueue<KernelEvent>.Handle) {
        deliveries.removeFirst(head)
        head = 0
        deliveries.removeAll { if case .event(_, handle) = $0 { true } else { false } }
    }
}

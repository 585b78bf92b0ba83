import Ports

/// A queue between tasks of simulated processes: whoever puts something in wakes one of those who wait for it.
///
/// Belongs to the world, not to an incarnation: what lies in it survives crashes. A process that must not keep its work takes
/// a new queue with each start.
public final class WorkQueue<Element: Sendable>: @unchecked Sendable {
    private let simulation: Simulation
    private var elements: ContiguousArray<Element> = []
    private var head = 0
    private var waiters: ContiguousArray<WaiterID> = []
    private var waiterHead = 0

    public init(_ simulation: Simulation) { self.simulation = simulation }

    public var count: Int { elements.count - head }

    /// Adds an element and wakes the task that has waited longest.
    public func put(_ element: Element) {
        elements.append(element)
        while waiterHead < waiters.count {
            let waiter = waiters[waiterHead]
            waiterHead += 1
            if simulation.wake(waiter) { break }
        }
        if waiterHead == waiters.count {
            waiters.removeAll(keepingCapacity: true)
            waiterHead = 0
        }
    }

    /// The oldest element; waits for one.
    ///
    /// - Throws: ``Ports/ProcessStopped``, `CancellationError`.
    public func take(_ context: ProcessContext) async throws -> Element {
        try context.checkAlive()
        while head == elements.count {
            let waiter = simulation.makeWaiter(context, WaitReason("work"))
            waiters.append(waiter)
            try await simulation.wait(waiter)
        }
        let element = elements[head]
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 256 {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }
}

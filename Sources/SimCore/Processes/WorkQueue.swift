import Ports

/// A queue between tasks of simulated processes: whoever puts something in wakes one of those who wait for it, and an
/// element that somebody was woken for is not taken by one who comes later.
///
/// Belongs to the world, not to an incarnation: what lies in it survives crashes. A process that must not keep its work takes
/// a new queue with each start.
public final class WorkQueue<Element: Sendable>: @unchecked Sendable {
    private let simulation: Simulation
    private var elements = FIFOQueue<Element>()
    private var waiters = FIFOQueue<WaiterID>()
    /// Elements that tasks were woken for and have not taken yet.
    private var promisedCount = 0

    /// An empty queue.
    public init(_ simulation: Simulation) { self.simulation = simulation }

    /// How many elements wait to be taken.
    public var count: Int { elements.count }

    /// Adds an element and wakes the task that has waited longest: what the world itself does, or somebody outside of it.
    public func put(_ element: Element) {
        elements.append(element)
        wakeNext()
    }

    /// Adds an element on behalf of a process.
    ///
    /// - Throws: ``Ports/ProcessStopped``: a dead incarnation puts nothing in.
    public func put(_ element: Element, _ context: ProcessContext) throws {
        try context.checkAlive()
        put(element)
    }

    /// The oldest element that nobody else was woken for; waits for one, behind those who wait already.
    ///
    /// - Throws: ``Ports/ProcessStopped``, `CancellationError`.
    public func take(_ context: ProcessContext) async throws -> Element {
        try await context.requireAlive()
        if count > promisedCount { return elements.removeFirst() }
        let waiter = simulation.makeWaiter(context, WaitReason("work"))
        waiters.append(waiter)
        do {
            try await simulation.wait(waiter)
            // A dead incarnation takes nothing.
            try await context.requireAlive()
        } catch {
            leave(waiter)
            throw error
        }
        promisedCount -= 1
        return elements.removeFirst()
    }

    private func wakeNext() {
        while let waiter = waiters.popFirst() {
            if simulation.wake(waiter) {
                promisedCount += 1
                break
            }
        }
    }

    /// Somebody gives up waiting. It may have been woken for an element, which somebody else has to take then.
    private func leave(_ waiter: WaiterID) {
        let waitingCount = waiters.count
        waiters.filter { $0 != waiter }
        if waiters.count == waitingCount { promisedCount -= 1 }
        if count > promisedCount { wakeNext() }
    }
}

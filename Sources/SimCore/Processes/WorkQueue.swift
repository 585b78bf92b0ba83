import Ports

/// A queue between tasks of simulated processes: whoever puts something in wakes one of those who wait for it.
///
/// Belongs to the world, not to an incarnation: what lies in it survives crashes. A process that must not keep its work takes
/// a new queue with each start.
public final class WorkQueue<Element: Sendable>: @unchecked Sendable {
    private let simulation: Simulation
    private var elements = FIFOQueue<Element>()
    private var waiters = FIFOQueue<WaiterID>()

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

    /// The oldest element; waits for one.
    ///
    /// - Throws: ``Ports/ProcessStopped``, `CancellationError`.
    public func take(_ context: ProcessContext) async throws -> Element {
        while true {
            // Asked after each wait as well: a dead incarnation takes nothing, and waits for nothing.
            try await context.requireAlive()
            if let element = elements.popFirst() { return element }
            let waiter = simulation.makeWaiter(context, WaitReason("work"))
            waiters.append(waiter)
            do { try await simulation.wait(waiter) } catch {
                leave(waiter)
                throw error
            }
        }
    }

    private func wakeNext() {
        while let waiter = waiters.popFirst() {
            if simulation.wake(waiter) { break }
        }
    }

    /// Somebody gives up waiting. It may have been woken for an element, which somebody else has to take then.
    private func leave(_ waiter: WaiterID) {
        waiters.filter { $0 != waiter }
        if !elements.isEmpty { wakeNext() }
    }
}

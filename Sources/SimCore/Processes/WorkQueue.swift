import Ports

/// A queue between tasks of simulated processes: whoever puts something in wakes one of those who wait for it, and an
/// element that somebody was woken for is not taken by one who comes later.
///
/// Belongs to the world, not to an incarnation: what lies in it survives crashes. A process that must not keep its work takes
/// a new queue with each start.
public final class WorkQueue<Element: Sendable>: @unchecked Sendable {
    private let simulation: Simulation
    private var elements: ContiguousArray<Element> = []
    private var head = 0
    private var waiters: ContiguousArray<WaiterID> = []
    private var waiterHead = 0
    /// Elements that tasks were woken for and have not taken yet.
    private var promisedCount = 0

    public init(_ simulation: Simulation) { self.simulation = simulation }

    public var count: Int { elements.count - head }

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
        if count > promisedCount { return takeFirst() }
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
        return takeFirst()
    }

    private func takeFirst() -> Element {
        precondition(head < elements.count, "a task was woken for an element that is not there")
        let element = elements[head]
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 256, head * 2 >= elements.count {
            // No oftener than that much has been taken: each element is moved once at most.
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    private func wakeNext() {
        while waiterHead < waiters.count {
            let waiter = waiters[waiterHead]
            waiterHead += 1
            if simulation.wake(waiter) {
                promisedCount += 1
                break
            }
        }
        if waiterHead == waiters.count {
            waiters.removeAll(keepingCapacity: true)
            waiterHead = 0
        } else if waiterHead >= 256, waiterHead * 2 >= waiters.count {
            waiters.removeFirst(waiterHead)
            waiterHead = 0
        }
    }

    /// Somebody gives up waiting. It may have been woken for an element, which somebody else has to take then.
    private func leave(_ waiter: WaiterID) {
        if let index = waiters[waiterHead...].firstIndex(of: waiter) {
            waiters.remove(at: index)
        } else {
            promisedCount -= 1
        }
        if count > promisedCount { wakeNext() }
    }
}

public import Ports

/// Datagrams of one type between the processes of a simulation: each may be lost, doubled, overtaken.
///
/// A mailbox lives as long as its process's incarnation; what arrives for a process that is not alive is lost. A message sent
/// and received costs two kernel steps and allocates nothing of its own.
public final class MessageBus<Message: Sendable>: EventHandler, ProcessObserver, @unchecked Sendable {
    /// A message as it is received.
    public struct Delivery: Sendable {
        public let from: ProcessID
        public let message: Message
    }

    private struct Flight {
        var delivery: Delivery?
        var to: ProcessID
        var nextFree: Int32
    }

    private struct Mailbox {
        var messages: ContiguousArray<Delivery> = []
        var head = 0
        var receiver: WaiterID?
        var isObserved = false
    }

    private static var arrival: UInt16 { 1 }

    public let name: String
    private unowned let simulation: Simulation
    private var handler: HandlerID!
    private var flights: ContiguousArray<Flight> = []
    private var firstFree: Int32 = -1
    private var mailboxes: ContiguousArray<Mailbox> = []
    /// About how many bytes a message has, for links of limited bandwidth.
    private let byteCount: @Sendable (Message) -> Int

    /// - Parameters:
    ///   - name: shown in traces.
    ///   - byteCount: size of a message on the wire.
    public init(_ simulation: Simulation, name: String, byteCount: @escaping @Sendable (Message) -> Int = { _ in 64 }) {
        self.simulation = simulation
        self.name = name
        self.byteCount = byteCount
        handler = simulation.register(self)
    }

    /// Sends a message. Whether it arrives, once or twice, is the network's decision.
    ///
    /// - Throws: ``Ports/ProcessStopped`` when the sender has ended.
    public func send(_ message: Message, from sender: ProcessContext, to receiver: ProcessID) throws {
        try sender.checkAlive()
        let plan = simulation.network.state.planDatagram(
            from: sender.process, to: receiver, byteCount: byteCount(message), now: simulation.now,
            decisions: &simulation.state.pointee.decisions)
        simulation.network.creditFaults()
        switch plan {
        case .lost: break
        case .deliver(let time): launch(message, sender.process, receiver, time)
        case .deliverTwice(let first, let second):
            launch(message, sender.process, receiver, first)
            launch(message, sender.process, receiver, second)
        }
    }

    /// Sends to a process by name.
    ///
    /// - Throws: ``Ports/ProcessStopped`` when the sender has ended.
    /// - Precondition: there is a process of that name.
    public func send(_ message: Message, from sender: ProcessContext, to receiver: String) throws {
        guard let id = simulation.process(named: receiver) else {
            preconditionFailure("no process '\(receiver)'; there are \(simulation.processNames)")
        }
        try send(message, from: sender, to: id)
    }

    /// The next message for this process, in order of arrival.
    ///
    /// One task of a process receives at a time.
    /// - Throws: ``Ports/ProcessStopped``, `CancellationError`.
    @inlinable
    public func receive(_ context: ProcessContext) async throws -> Delivery {
        while true {
            if let delivery = try await receive(context, deadline: nil) { return delivery }
        }
    }

    /// The next message, or `nil` when none came within `timeout` of the process's own clock.
    @inlinable
    public func receive(_ context: ProcessContext, timeout: Nanoseconds) async throws -> Delivery? {
        try await receive(context, deadline: simulation(context).now + trueSpan(context, timeout))
    }

    @usableFromInline func simulation(_ context: ProcessContext) -> Simulation { context.simulation }
    @usableFromInline func trueSpan(_ context: ProcessContext, _ span: Nanoseconds) -> Nanoseconds {
        simulation.trueSpan(context, span)
    }

    @usableFromInline
    func receive(_ context: ProcessContext, deadline: Instant?) async throws -> Delivery? {
        try context.checkAlive()
        if let delivery = takeFirst(context.process) { return delivery }
        let waiter = simulation.makeWaiter(context, WaitReason("a message"), deadline: deadline)
        setReceiver(waiter, context.process)
        guard try await simulation.wait(waiter) else {
            setReceiver(nil, context.process)
            return nil
        }
        return takeFirst(context.process)
    }

    public func handle(_ event: KernelEvent) {
        let index = Int(event.first)
        let to = flights[index].to
        let delivery = flights[index].delivery!
        if simulation.network.state.isHeld(from: delivery.from, to: to) {
            // A clog: it waits at the far end of the queue and is looked at again soon.
            simulation.network.creditFaults()
            simulation.schedule(
                at: simulation.now + .milliseconds(10), handler, code: Self.arrival, first: event.first)
            return
        }
        flights[index].delivery = nil
        flights[index].nextFree = firstFree
        firstFree = Int32(index)
        guard simulation.state(of: to) == .running || simulation.state(of: to) == .paused else { return }
        ensureMailbox(to)
        mailboxes[Int(to.index)].messages.append(delivery)
        if let receiver = mailboxes[Int(to.index)].receiver {
            mailboxes[Int(to.index)].receiver = nil
            simulation.wake(receiver)
        }
    }

    public func describe(_ event: KernelEvent) -> String {
        let flight = flights[Int(event.first)]
        guard let delivery = flight.delivery else { return "\(name): nothing" }
        return "\(name): \(simulation.name(of: delivery.from)) > \(simulation.name(of: flight.to)): \(delivery.message)"
    }

    public func processStarted(_ process: ProcessID, incarnation: UInt32) {}

    public func processCrashed(_ process: ProcessID) {
        mailboxes[Int(process.index)].messages.removeAll()
        mailboxes[Int(process.index)].head = 0
        mailboxes[Int(process.index)].receiver = nil
    }

    private func launch(_ message: Message, _ from: ProcessID, _ to: ProcessID, _ time: Instant) {
        let index: Int
        if firstFree >= 0 {
            index = Int(firstFree)
            firstFree = flights[index].nextFree
            flights[index].delivery = Delivery(from: from, message: message)
            flights[index].to = to
        } else {
            index = flights.count
            flights.append(Flight(delivery: Delivery(from: from, message: message), to: to, nextFree: -1))
        }
        simulation.schedule(at: time, handler, code: Self.arrival, first: UInt64(index))
    }

    private func takeFirst(_ process: ProcessID) -> Delivery? {
        let index = Int(process.index)
        guard index < mailboxes.count, mailboxes[index].head < mailboxes[index].messages.count else { return nil }
        let delivery = mailboxes[index].messages[mailboxes[index].head]
        mailboxes[index].head += 1
        if mailboxes[index].head == mailboxes[index].messages.count {
            mailboxes[index].messages.removeAll(keepingCapacity: true)
            mailboxes[index].head = 0
        }
        return delivery
    }

    private func setReceiver(_ waiter: WaiterID?, _ process: ProcessID) {
        ensureMailbox(process)
        mailboxes[Int(process.index)].receiver = waiter
    }

    private func ensureMailbox(_ process: ProcessID) {
        let index = Int(process.index)
        while mailboxes.count <= index { mailboxes.append(Mailbox()) }
        guard !mailboxes[index].isObserved else { return }
        mailboxes[index].isObserved = true
        simulation.observe(process, by: self)
    }
}

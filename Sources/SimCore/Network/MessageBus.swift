public import Ports

/// Datagrams of one type between the processes of a simulation: each may be lost, doubled, overtaken.
///
/// A mailbox lives as long as its process's incarnation; what arrives for a process that is not alive is lost. A message sent
/// and received costs two kernel steps and allocates nothing of its own.
public final class MessageBus<Message: Sendable>: @unchecked Sendable {
    /// A message as it is received.
    public struct Delivery: Sendable {
        /// Who sent it.
        public let from: ProcessID
        /// What was sent.
        public let message: Message

        @inlinable init(from: ProcessID, message: Message) {
            self.from = from
            self.message = message
        }
    }

    /// What traces call the bus.
    public let name: String
    @usableFromInline let datagrams: DatagramSwitch
    @usableFromInline let store: MessageStore<Message>
    /// About how many bytes a message has, for links of limited bandwidth.
    @usableFromInline let byteCount: @Sendable (Message) -> Int

    /// - Parameters:
    ///   - name: shown in traces.
    ///   - byteCount: size of a message on the wire.
    @inlinable
    public init(_ simulation: Simulation, name: String, byteCount: @escaping @Sendable (Message) -> Int = { _ in 64 }) {
        self.name = name
        self.byteCount = byteCount
        let store = MessageStore<Message>()
        self.store = store
        datagrams = DatagramSwitch(simulation, name: name)
        datagrams.release = { _ = store.take($0) }
        datagrams.duplicate = { store.insert(store[$0]!) }
        datagrams.describeMessage = { slot in store[slot].map { "\($0)" } ?? "" }
    }

    /// Sends a message. Whether it arrives, once or twice, is the network's decision.
    ///
    /// - Throws: ``Ports/ProcessStopped`` when the sender has ended.
    @inlinable
    public func send(_ message: Message, from sender: ProcessContext, to receiver: ProcessID) throws {
        try sender.checkAlive()
        datagrams.launch(
            store.insert(message), from: sender.process, to: receiver, byteCount: byteCount(message))
    }

    /// Sends to a process by name.
    ///
    /// - Throws: ``Ports/ProcessStopped`` when the sender has ended.
    /// - Precondition: there is a process of that name.
    @inlinable
    public func send(_ message: Message, from sender: ProcessContext, to receiver: String) throws {
        guard let id = sender.simulation.process(named: receiver) else {
            preconditionFailure("no process '\(receiver)'; there are \(sender.simulation.processNames)")
        }
        try send(message, from: sender, to: id)
    }

    /// The next message for this process, in order of arrival. One task of a process receives at a time.
    ///
    /// - Throws: ``Ports/ProcessStopped``, `CancellationError`.
    @inlinable @inline(__always)
    public func receive(_ context: ProcessContext) async throws -> Delivery {
        try await context.requireAlive()
        while true {
            if let entry = datagrams.takeFirst(context.process) {
                return Delivery(from: entry.from, message: store.take(entry.message))
            }
            let waiter = context.simulation.makeWaiter(context, WaitReason("a message"))
            datagrams.setReceiver(waiter, context.process)
            _ = try await context.simulation.waitForValue(waiter)
        }
    }

    /// The next message, or `nil` when none came within `timeout` of the process's own clock.
    ///
    /// - Throws: ``Ports/ProcessStopped``, `CancellationError`.
    @inlinable
    public func receive(_ context: ProcessContext, timeout: Nanoseconds) async throws -> Delivery? {
        try await context.requireAlive()
        if let entry = datagrams.takeFirst(context.process) {
            return Delivery(from: entry.from, message: store.take(entry.message))
        }
        let simulation = context.simulation
        let waiter = simulation.makeWaiter(
            context, WaitReason("a message"), deadline: simulation.now + simulation.trueSpan(context, timeout))
        datagrams.setReceiver(waiter, context.process)
        _ = try await simulation.waitForValue(waiter)
        guard let entry = datagrams.takeFirst(context.process) else {
            datagrams.setReceiver(nil, context.process)
            return nil
        }
        return Delivery(from: entry.from, message: store.take(entry.message))
    }
}

/// Messages on their way or in a mailbox: a slab with a free list, behind a pointer to spare exclusivity checks.
@usableFromInline final class MessageStore<Message> {
    @usableFromInline struct Slab {
        @usableFromInline var messages: ContiguousArray<Message?> = []
        @usableFromInline var free: ContiguousArray<UInt32> = []
        @inlinable init() {}
    }

    @usableFromInline let slab: UnsafeMutablePointer<Slab>

    @inlinable init() {
        slab = .allocate(capacity: 1)
        slab.initialize(to: Slab())
    }

    @inlinable deinit {
        slab.deinitialize(count: 1)
        slab.deallocate()
    }

    /// The message in a slot; `nil` when it is not in use.
    @inlinable subscript(_ slot: UInt32) -> Message? { slab.pointee.messages[Int(slot)] }

    @inlinable func insert(_ message: Message) -> UInt32 {
        if let slot = slab.pointee.free.popLast() {
            slab.pointee.messages[Int(slot)] = message
            return slot
        }
        slab.pointee.messages.append(message)
        return UInt32(slab.pointee.messages.count - 1)
    }

    /// Removes and returns a message.
    ///
    /// - Precondition: the slot is in use.
    @inlinable func take(_ slot: UInt32) -> Message {
        guard let message = slab.pointee.messages[Int(slot)] else {
            preconditionFailure("message slot \(slot) is empty")
        }
        slab.pointee.messages[Int(slot)] = nil
        slab.pointee.free.append(slot)
        return message
    }
}

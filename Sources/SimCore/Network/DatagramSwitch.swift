import Ports

/// Carries numbered datagrams between processes: what ``MessageBus`` is without the type of its messages.
///
/// A datagram is a slot number of the bus that sent it. Slots are taken and given back in an order that follows from the
/// events alone.
@usableFromInline final class DatagramSwitch: EventHandler, ProcessObserver {
    struct Flight {
        var from: ProcessID
        var to: ProcessID
        var message: UInt32
    }

    struct Mailbox {
        /// Received and not taken yet: message slot and sender.
        var messages: ContiguousArray<(message: UInt32, from: ProcessID)> = []
        var head = 0
        var receiver: WaiterID?
        var isObserved = false
    }

    private static let arrival: UInt16 = 1
    /// A clogged link is looked at this often.
    private static let clogInterval = Nanoseconds.milliseconds(10)

    let simulation: Simulation
    let name: String
    private var handler: HandlerID!
    /// Behind a pointer, like the kernel's own state: exclusivity checks took two fifths of a message's time.
    private let mailboxes: UnsafeMutablePointer<ContiguousArray<Mailbox>>
    /// Gives a message slot back whose datagram was lost or dropped.
    @usableFromInline var release: (UInt32) -> Void = { _ in }
    /// A message in words, for traces.
    @usableFromInline var describeMessage: (UInt32) -> String = { _ in "" }
    /// Takes another reference to a message that arrives twice.
    @usableFromInline var duplicate: (UInt32) -> UInt32 = { $0 }

    @usableFromInline init(_ simulation: Simulation, name: String) {
        self.simulation = simulation
        self.name = name
        mailboxes = .allocate(capacity: 1)
        mailboxes.initialize(to: [])
        handler = simulation.register(self)
    }

    deinit {
        mailboxes.deinitialize(count: 1)
        mailboxes.deallocate()
    }

    @usableFromInline func launch(_ message: UInt32, from sender: ProcessID, to receiver: ProcessID, byteCount: Int) {
        let state = simulation.state
        let plan = simulation.network.state.planDatagram(
            from: sender, to: receiver, byteCount: byteCount, now: simulation.now, decisions: &state.pointee.decisions)
        switch plan {
        case .lost: release(message)
        case .deliver(let time): schedule(message, sender, receiver, time)
        case .deliverTwice(let first, let second):
            let copy = duplicate(message)
            schedule(message, sender, receiver, first)
            schedule(copy, sender, receiver, second)
        }
        simulation.network.creditFaults()
    }

    private func schedule(_ message: UInt32, _ from: ProcessID, _ to: ProcessID, _ time: Instant) {
        simulation.schedule(
            at: time, handler, code: Self.arrival, first: UInt64(message),
            second: UInt64(from.index) << 32 | UInt64(to.index))
    }

    /// The next message for a process, or `nil`.
    @usableFromInline func takeFirst(_ process: ProcessID) -> (message: UInt32, from: ProcessID)? {
        let index = Int(process.index)
        guard index < mailboxes.pointee.count, mailboxes.pointee[index].head < mailboxes.pointee[index].messages.count
        else { return nil }
        let entry = mailboxes.pointee[index].messages[mailboxes.pointee[index].head]
        mailboxes.pointee[index].head += 1
        if mailboxes.pointee[index].head == mailboxes.pointee[index].messages.count {
            mailboxes.pointee[index].messages.removeAll(keepingCapacity: true)
            mailboxes.pointee[index].head = 0
        }
        return entry
    }

    @usableFromInline func setReceiver(_ waiter: WaiterID?, _ process: ProcessID) {
        ensureMailbox(process)
        mailboxes.pointee[Int(process.index)].receiver = waiter
    }

    @usableFromInline func handle(_ event: KernelEvent) {
        let (from, to) = ends(event)
        let message = UInt32(truncatingIfNeeded: event.first)
        if simulation.network.state.isHeld(from: from, to: to) {
            simulation.network.creditFaults()
            return schedule(message, from, to, simulation.now + Self.clogInterval)
        }
        let state = simulation.state(of: to)
        guard state == .running || state == .paused else { return release(message) }
        ensureMailbox(to)
        mailboxes.pointee[Int(to.index)].messages.append((message, from))
        if let receiver = mailboxes.pointee[Int(to.index)].receiver {
            mailboxes.pointee[Int(to.index)].receiver = nil
            simulation.wake(receiver)
        }
    }

    private func ends(_ event: KernelEvent) -> (from: ProcessID, to: ProcessID) {
        (
            ProcessID(index: UInt32(truncatingIfNeeded: event.second >> 32)),
            ProcessID(index: UInt32(truncatingIfNeeded: event.second))
        )
    }

    @usableFromInline func describe(_ event: KernelEvent) -> String {
        let (from, to) = ends(event)
        let message = describeMessage(UInt32(truncatingIfNeeded: event.first))
        return "\(name): \(simulation.name(of: from)) > \(simulation.name(of: to)): \(message)"
    }

    @usableFromInline func processStarted(_ process: ProcessID, incarnation: UInt32) {}

    @usableFromInline func processCrashed(_ process: ProcessID) {
        while let entry = takeFirst(process) { release(entry.message) }
        mailboxes.pointee[Int(process.index)].receiver = nil
    }

    private func ensureMailbox(_ process: ProcessID) {
        let index = Int(process.index)
        if index < mailboxes.pointee.count, mailboxes.pointee[index].isObserved { return }
        while mailboxes.pointee.count <= index { mailboxes.pointee.append(Mailbox()) }
        mailboxes.pointee[index].isObserved = true
        simulation.observe(process, by: self)
    }
}

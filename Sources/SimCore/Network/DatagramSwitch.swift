import Ports

/// Carries numbered datagrams between processes: what ``MessageBus`` is without the type of its messages.
///
/// A datagram is a slot number of the bus that sent it. Slots are taken and given back in an order that follows from the
/// events alone.
@usableFromInline final class DatagramSwitch: EventHandler, ProcessObserver, DatagramHolding {
    struct Flight {
        var from: ProcessID
        var to: ProcessID
        var message: UInt32
    }

    struct Mailbox {
        /// Received and not taken yet: message slot and sender.
        var messages = FIFOQueue<(message: UInt32, from: ProcessID)>()
        var receiver: WaiterID?
        var isObserved = false
    }

    private static let arrival: UInt16 = 1

    let simulation: Simulation
    let name: String
    // Not checked for exclusive access at run time: no access spans a call of foreign code.
    @exclusivity(unchecked) private var handler: HandlerID!
    @exclusivity(unchecked) private var mailboxes: ContiguousArray<Mailbox> = []
    /// What clogs hold back, in order of arrival.
    @exclusivity(unchecked) private var held: ContiguousArray<Flight> = []
    /// Gives a message slot back whose datagram was lost or dropped.
    @exclusivity(unchecked) @usableFromInline var release: (UInt32) -> Void = { _ in }
    /// A message in words, for traces.
    @usableFromInline var describeMessage: (UInt32) -> String = { _ in "" }
    /// Takes another reference to a message that arrives twice.
    @exclusivity(unchecked) @usableFromInline var duplicate: (UInt32) -> UInt32 = { $0 }

    @usableFromInline init(_ simulation: Simulation, name: String) {
        self.simulation = simulation
        self.name = name
        handler = simulation.register(self)
        simulation.network.add(self)
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
        return index < mailboxes.count ? mailboxes[index].messages.popFirst() : nil
    }

    @usableFromInline func setReceiver(_ waiter: WaiterID?, _ process: ProcessID) {
        ensureMailbox(process)
        mailboxes[Int(process.index)].receiver = waiter
    }

    @usableFromInline func handle(_ event: KernelEvent) {
        let (from, to) = ends(event)
        let message = UInt32(truncatingIfNeeded: event.first)
        if simulation.network.state.isHeld(from: from, to: to) {
            simulation.network.creditFaults()
            return held.append(Flight(from: from, to: to, message: message))
        }
        let state = simulation.state(of: to)
        guard state == .running || state == .paused else { return release(message) }
        ensureMailbox(to)
        mailboxes[Int(to.index)].messages.append((message, from))
        if let receiver = mailboxes[Int(to.index)].receiver {
            mailboxes[Int(to.index)].receiver = nil
            simulation.wake(receiver)
        }
    }

    func releaseHeld() {
        guard !held.isEmpty else { return }
        let flights = held
        held.removeAll()
        for flight in flights {
            if simulation.network.state.holds(from: flight.from, to: flight.to) {
                held.append(flight)
            } else {
                schedule(flight.message, flight.from, flight.to, simulation.now)
            }
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
        mailboxes[Int(process.index)].receiver = nil
    }

    @usableFromInline func processFinished(_ process: ProcessID) { processCrashed(process) }

    private func ensureMailbox(_ process: ProcessID) {
        let index = Int(process.index)
        if index < mailboxes.count, mailboxes[index].isObserved { return }
        while mailboxes.count <= index { mailboxes.append(Mailbox()) }
        mailboxes[index].isObserved = true
        simulation.observe(process, by: self)
    }
}

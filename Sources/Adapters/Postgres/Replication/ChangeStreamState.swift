#if Production
    import AdapterSystem
    import Clibpq
    import Ports

    /// What an open slot knows, guarded by its lock.
    struct ChangeStreamState {
        private struct Request {
            let maximumTransactions: Int
            let deadline: Int64
            let continuation: PostgresChangeStream.Continuation
        }

        /// Beyond this many changes waiting to be asked for, the socket is not read: the server keeps the rest.
        private static let bufferedChangeLimit = 50_000
        /// A sixth of the server's default patience (`wal_sender_timeout` 60 s).
        private static let feedbackInterval: Int64 = 10_000_000_000

        private var handle: ConnectionHandle?
        private var assembler = TransactionAssembler()
        private var ready: [CommittedTransaction] = []
        private var readyChangeCount = 0
        private var request: Request?
        private var failure: (any Error)?
        private var isWatching = false
        private var wantsWrite = false
        private var token: SocketReactor.Token?
        private let reactor: SocketReactor

        /// What the consumer has dealt with.
        private var confirmed = LSN.zero
        /// End of the last transaction handed out.
        private var handedOut = LSN.zero
        /// What the server says it has sent or passed over.
        private var received = LSN.zero
        private var nextFeedback: Int64

        init(_ handle: ConnectionHandle, reactor: SocketReactor) {
            self.handle = handle
            self.reactor = reactor
            nextFeedback = SocketReactor.now + Self.feedbackInterval
        }

        mutating func begin(_ token: SocketReactor.Token) {
            self.token = token
            watch(true)
            reactor.wake(token, at: nextFeedback)
        }

        private mutating func watch(_ isWanted: Bool) {
            guard isWatching != isWanted, let handle, let token else { return }
            isWatching = isWanted
            if isWanted { reactor.watch(handle.socket, for: token) } else { reactor.unwatch(handle.socket) }
        }

        // MARK: The consumer's side

        mutating func request(
            _ maximumTransactions: Int, _ timeout: Nanoseconds, _ continuation: PostgresChangeStream.Continuation
        ) -> PostgresChangeStream.Completion? {
            precondition(request == nil, "two calls of next at once: a change stream is used by one task at a time")
            let deadline = SocketReactor.now + max(0, timeout.rawValue)
            request = Request(maximumTransactions: maximumTransactions, deadline: deadline, continuation: continuation)
            // The answer to opening the slot may have brought the first changes with it, and while reading stood still for
            // lack of room more than one batch may have been read.
            if ready.isEmpty, let handle, let completion = takeBuffered(handle) { return completion }
            if let completion = answer(atDeadline: timeout <= .zero) { return completion }
            if let token { reactor.wake(token, at: deadline) }
            return nil
        }

        mutating func cancelRequest() -> PostgresChangeStream.Completion? {
            request.take().map {
                PostgresChangeStream.Completion(continuation: $0.continuation, result: .failure(CancellationError()))
            }
        }

        /// Answers the request with what is there; with nothing only at its deadline, with a failure only after the rest.
        private mutating func answer(atDeadline: Bool) -> PostgresChangeStream.Completion? {
            guard let request else { return nil }
            let result: Result<[CommittedTransaction], any Error>
            if !ready.isEmpty {
                let handedOver = Array(ready.prefix(request.maximumTransactions))
                ready.removeFirst(handedOver.count)
                readyChangeCount -= handedOver.reduce(0) { $0 + $1.changes.count }
                handedOut = handedOver.last?.endLSN ?? handedOut
                if readyChangeCount < Self.bufferedChangeLimit { watch(true) }
                result = .success(handedOver)
            } else if let failure {
                result = .failure(failure)
            } else if atDeadline {
                result = .success([])
            } else {
                return nil
            }
            self.request = nil
            return PostgresChangeStream.Completion(continuation: request.continuation, result: result)
        }

        mutating func confirm(_ lsn: LSN) -> (PostgresChangeStream.Completion?, (any Error)?) {
            if let failure { return (nil, failure) }
            confirmed = max(confirmed, lsn)
            return (sendFeedback(), failure)
        }

        mutating func close() -> (PostgresChangeStream.Completion?, ConnectionHandle?) {
            _ = sendFeedback()
            guard let handle else { return (nil, nil) }
            release(DatabaseError.connectionLost("the change stream was closed"))
            return (answer(atDeadline: true), handle)
        }

        // MARK: The server's side

        mutating func receive() -> PostgresChangeStream.Completion? {
            guard let handle else { return nil }
            guard PQconsumeInput(handle.pointer) == 1 else {
                return fail(DatabaseError.connectionLost(handle.errorText))
            }
            if wantsWrite, let completion = flush() { return completion }
            return takeBuffered(handle)
        }

        /// Takes what libpq has read already, of which the socket says nothing any more.
        private mutating func takeBuffered(_ handle: ConnectionHandle) -> PostgresChangeStream.Completion? {
            while readyChangeCount < Self.bufferedChangeLimit {
                var message: UnsafeMutablePointer<CChar>?
                let length = PQgetCopyData(handle.pointer, &message, 1)
                guard length != 0 else { return answer(atDeadline: false) }
                guard length > 0, let message else { return fail(endOfStream(handle)) }
                defer { PQfreemem(message) }
                do {
                    try take(UnsafeRawBufferPointer(start: message, count: Int(length)))
                } catch {
                    return fail(error)
                }
            }
            watch(false)
            return answer(atDeadline: false)
        }

        private mutating func take(_ bytes: UnsafeRawBufferPointer) throws {
            var reader = ByteReader(bytes)
            switch try reader.byte() {
            case UInt8(ascii: "w"):
                let lsn = LSN(try reader.word64())
                received = max(received, LSN(try reader.word64()))
                _ = try reader.word64()  // the server's time
                var parser = PgOutputParser(reader.rest)
                guard let transaction = try assembler.take(try parser.message(), at: lsn) else { return }
                ready.append(transaction)
                readyChangeCount += transaction.changes.count
            case UInt8(ascii: "k"):
                received = max(received, LSN(try reader.word64()))
                _ = try reader.word64()
                if try reader.byte() == 1 { nextFeedback = 0 }
                if nextFeedback == 0 { _ = sendFeedback() }
            default: break
            }
        }

        /// The server ended the stream: with a reason of its own, or because it went down.
        private func endOfStream(_ handle: ConnectionHandle) -> any Error {
            guard let result = PQgetResult(handle.pointer) else {
                return DatabaseError.connectionLost(handle.errorText)
            }
            defer { PQclear(result) }
            let error = PostgresErrors.statement(result)
            // Class 57 is a shutdown: the consumer reconnects as after any lost connection.
            if case .statement(let state, let message, _) = error, state.rawValue.hasPrefix("57") {
                return DatabaseError.connectionLost("\(message) (\(state))")
            }
            return error
        }

        mutating func deadlinePassed(now: Int64) -> PostgresChangeStream.Completion? {
            if now >= nextFeedback, let completion = sendFeedback() { return completion }
            guard let request else { return nil }
            return now >= request.deadline ? answer(atDeadline: true) : nil
        }

        /// Reports how far the slot may advance. When everything handed out was confirmed and nothing waits, that is as far
        /// as the server says it has come: a quiet table does not hold the log of a busy one.
        private mutating func sendFeedback() -> PostgresChangeStream.Completion? {
            guard let handle, let token else { return nil }
            let isIdle = ready.isEmpty && !assembler.isInTransaction && confirmed >= handedOut
            if isIdle { confirmed = max(confirmed, received) }
            var message: [UInt8] = [UInt8(ascii: "r")]
            BinaryFormat.append(max(received, confirmed).rawValue, to: &message)
            BinaryFormat.append(confirmed.rawValue, to: &message)
            BinaryFormat.append(confirmed.rawValue, to: &message)
            BinaryFormat.append(UInt64(0), to: &message)  // our clock, which the server does not use
            message.append(0)
            let isSent = message.withUnsafeBytes {
                PQputCopyData(handle.pointer, $0.baseAddress?.assumingMemoryBound(to: CChar.self), Int32($0.count))
            }
            guard isSent >= 0 else { return fail(DatabaseError.connectionLost(handle.errorText)) }
            nextFeedback = SocketReactor.now + Self.feedbackInterval
            reactor.wake(token, at: nextFeedback)
            return flush()
        }

        private mutating func flush() -> PostgresChangeStream.Completion? {
            guard let handle, let token else { return nil }
            let rest = PQflush(handle.pointer)
            guard rest >= 0 else { return fail(DatabaseError.connectionLost(handle.errorText)) }
            if wantsWrite != (rest == 1), isWatching {
                wantsWrite = rest == 1
                reactor.setWantsWrite(wantsWrite, socket: handle.socket, for: token)
            }
            return nil
        }

        private mutating func fail(_ error: any Error) -> PostgresChangeStream.Completion? {
            let lost = handle
            release(error)
            lost?.finish()
            return answer(atDeadline: false)
        }

        /// Lets the connection go without closing it.
        private mutating func release(_ reason: any Error) {
            watch(false)
            if let token { reactor.unregister(token) }
            handle = nil
            failure = reason
        }
    }
#endif

#if Production
    import Clibpq
    import Glibc
    import Ports

    /// A libpq connection, owned by whoever holds this. Used by one thread at a time.
    struct ConnectionHandle: @unchecked Sendable {
        let pointer: OpaquePointer
        /// Set by the server's warning that a commit no longer waits for its standby.
        private let gaveUpStandby: UnsafeMutablePointer<Bool>

        private init(_ pointer: OpaquePointer) {
            self.pointer = pointer
            gaveUpStandby = .allocate(capacity: 1)
            gaveUpStandby.initialize(to: false)
            PQsetNoticeReceiver(pointer, { Self.received($0, $1) }, gaveUpStandby)
        }

        /// The server's notices are of no concern, but for the one that takes a commit's promise back. It is known by the
        /// function that it comes from, since its text depends on the server's language.
        /// Source: src/backend/replication/syncrep.c, SyncRepWaitForLSN.
        private static func received(_ flag: UnsafeMutableRawPointer?, _ notice: OpaquePointer?) {
            guard let flag, let name = PQresultErrorField(notice, Int32(UnicodeScalar("R").value)) else { return }
            if String(cString: name) == "SyncRepWaitForLSN" {
                flag.assumingMemoryBound(to: Bool.self).pointee = true
            }
        }

        /// Whether a commit since the last call is durable on the server itself and perhaps not on its standby.
        func takeGivenUpStandby() -> Bool {
            defer { gaveUpStandby.pointee = false }
            return gaveUpStandby.pointee
        }

        var isBroken: Bool { PQstatus(pointer) == CONNECTION_BAD }
        var socket: Int32 { PQsocket(pointer) }
        var errorText: String { PostgresErrors.text(PQerrorMessage(pointer)) }

        /// Whether the socket has something to read, the end of the connection included. Does not block.
        var hasInput: Bool {
            var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            return poll(&descriptor, 1, 0) > 0
        }

        func finish() {
            PQfinish(pointer)
            gaveUpStandby.deallocate()
        }

        /// Opens a connection and waits for it. Blocks (name resolution, above all), so it runs on a thread of its own.
        ///
        /// - Parameters:
        ///   - parameters: libpq's keywords and values.
        ///   - timeout: for everything but name resolution.
        static func open(_ parameters: [PostgresURL.Parameter], timeout: Nanoseconds) -> Result<Self, DatabaseError> {
            guard let pointer = start(parameters) else { return .failure(.connectionLost("libpq is out of memory")) }
            let handle = ConnectionHandle(pointer)
            // Only the verbose form of a refused connection tells its SQLSTATE.
            PQsetErrorVerbosity(pointer, PQERRORS_VERBOSE)
            let deadline = monotonicNanoseconds() + timeout.rawValue
            if PQstatus(pointer) != CONNECTION_BAD {
                var wanted = PGRES_POLLING_WRITING
                while wanted != PGRES_POLLING_OK && wanted != PGRES_POLLING_FAILED {
                    guard wait(handle.socket, forWriting: wanted == PGRES_POLLING_WRITING, until: deadline) else {
                        handle.finish()
                        return .failure(.connectionLost("the server did not answer within \(timeout)"))
                    }
                    wanted = PQconnectPoll(pointer)
                }
            }
            guard PQstatus(pointer) == CONNECTION_OK else {
                let message = PQerrorMessage(pointer).map { String(cString: $0) } ?? "no message"
                handle.finish()
                return .failure(PostgresErrors.connecting(message))
            }
            PQsetErrorVerbosity(pointer, PQERRORS_DEFAULT)
            PQsetnonblocking(pointer, 1)
            return .success(handle)
        }

        /// Ends a replication stream and waits until the server has let the slot go. Blocks, at most for `timeout`.
        func endReplication(timeout: Nanoseconds) {
            let deadline = Self.monotonicNanoseconds() + timeout.rawValue
            PQputCopyEnd(pointer, nil)
            PQflush(pointer)
            while true {
                var message: UnsafeMutablePointer<CChar>?
                let length = PQgetCopyData(pointer, &message, 1)
                if length > 0 { PQfreemem(message) }
                if length == 0 {
                    guard Self.wait(socket, forWriting: false, until: deadline), PQconsumeInput(pointer) == 1 else {
                        break
                    }
                }
                if length < 0 {
                    // The command's own end says that the slot is free; until it is there, asking for it would block.
                    while PQisBusy(pointer) == 1 {
                        guard Self.wait(socket, forWriting: false, until: deadline), PQconsumeInput(pointer) == 1 else {
                            break
                        }
                    }
                    break
                }
            }
            finish()
        }

        private static func start(_ parameters: [PostgresURL.Parameter]) -> OpaquePointer? {
            let keywords = parameters.map { strdup($0.keyword) }
            let values = parameters.map { strdup($0.value) }
            defer { (keywords + values).forEach { free($0) } }
            let keywordList = keywords.map { UnsafePointer($0) } + [nil]
            let valueList = values.map { UnsafePointer($0) } + [nil]
            return PQconnectStartParams(keywordList, valueList, 0)
        }

        private static func wait(_ socket: Int32, forWriting: Bool, until deadline: Int64) -> Bool {
            while true {
                let remaining = (deadline - monotonicNanoseconds()) / 1_000_000
                guard remaining > 0 else { return false }
                var descriptor = pollfd(fd: socket, events: Int16(forWriting ? POLLOUT : POLLIN), revents: 0)
                let ready = poll(&descriptor, 1, Int32(min(remaining, 3_600_000)))
                if ready > 0 { return true }
                if ready < 0 && errno != EINTR { return false }
            }
        }

        private static func monotonicNanoseconds() -> Int64 {
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        }
    }
#endif

package mqttconn

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/broker/gcra"
	"github.com/gatehouse-iot/gatehouse/internal/broker/nonblock"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/websocket"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// A conn is one MQTT connection. What has no lock and no atomic type belongs to the goroutine of
// Serve, or does not change once the session is open.
type conn struct {
	server *Server
	nc     net.Conn
	socket *nonblock.Conn // under nc; nil where it can't tell that it has to wait
	in     reader
	at     *attempt.Attempt
	who    identity.Principal
	cutID  string                  // the principal under which Cut finds it: that of the handshake
	login  *identity.Login         // of a custom authorizer; else nil
	custom *identity.Authorization // the same as auth, with login
	info   Info
	cell   observe.Cell

	version      mqtt.Version
	clientID     string
	auth         Authorization
	client       *broker.Client // nil before the session is open
	sdk          string
	keepAlive    time.Duration // the longest silence that is allowed: 1.5 times what is in force
	keepAliveAsk uint16
	terse        bool // Request Problem Information is 0
	wantsSession bool // asked for a session that outlives the connection
	will         *will
	opened       time.Time

	topics    []*topicEntry              // the last topics that were published on, latest first
	aliases   *[maxTopicAlias + 1]string // nil until used
	work      *work                      // what the packets of one read need; nil while idle
	waiting   *waiting                   // answers that wait for the disk; nil before the first
	published int64                      // messages accepted
	began     int64                      // bytes that had been read when the work began

	rate       gcra.Meter // publishes, inbound and outbound
	throughput gcra.Meter

	outThrottled atomic.Bool   // a delivery met the account's rate of deliveries
	explained    gcra.Meter    // denials that were explained in full
	lastHeard    atomic.Int64  // Unix nanoseconds
	lastPacket   atomic.Uint32 // its type
	resting      atomic.Bool   // waits in a goroutine that has done nothing else
	slot         int64         // guarded by deadlines.mu

	over  atomic.Pointer[ending] // set once by whoever ends the connection
	stop  chan struct{}          // closed then
	heed  func() bool            // ends the attention to the context of Serve
	dropM sync.Mutex
	drops map[dropKey]int64 // guarded by dropM
}

// serve carries one connection from its first packet on.
func (s *Server) serve(ctx context.Context, nc net.Conn, info Info, who identity.Principal, at *attempt.Attempt) Rest {
	k := &conn{server: s, nc: nc, in: reader{nc: nc}, at: at, who: who, cutID: who.ID, info: info, stop: make(chan struct{})}
	k.socket, _ = nonblock.Find[*nonblock.Conn](nc)
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		k.part(shutdown)
		return nil
	}
	s.serving.Add(1)
	s.conns[k] = struct{}{}
	if s.byCert[who.ID] == nil {
		s.byCert[who.ID] = map[*conn]struct{}{}
	}
	s.byCert[who.ID][k] = struct{}{}
	s.mu.Unlock()
	k.heed = context.AfterFunc(ctx, func() { k.end(shutdown) })

	refused := k.stillActive(ctx)
	var header byte
	var body []byte
	if refused != nil {
		k.sawConnect(refused)
	} else {
		header, body, refused = k.firstPacket()
	}
	if refused == nil {
		if refused = k.connect(ctx, header, body); refused != nil {
			k.sawConnect(refused)
		}
	}
	if refused != nil {
		k.leave(*refused)
		return nil
	}
	return k.carry
}

// leave ends the connection as e says and takes it out of the server's books.
func (k *conn) leave(e ending) {
	defer k.server.serving.Done()
	defer k.server.forget(k)
	defer k.heed()
	k.part(e)
}

// stillActive ends a connection whose certificate lost its right after the handshake had looked at
// it and before Cut could find the connection.
func (k *conn) stillActive(ctx context.Context) *ending {
	if k.server.cfg.Status == nil || k.who.ID == "" {
		return nil
	}
	status, err := k.server.cfg.Status(ctx, k.who)
	if err != nil {
		return k.failed("read the certificate's status", err)
	}
	if status == registry.StatusActive {
		return nil
	}
	if k.who.Kind == identity.KindUser {
		return &ending{reason: authError, check: check.UserRemoved}
	}
	return &ending{reason: authError, check: check.PrincipalCut, evidence: []attempt.Field{
		attempt.F("certificate", k.who.ID), attempt.F("status", string(status)), attempt.F("required", string(registry.StatusActive)),
	}}
}

// forget takes k out of the server's books.
func (s *Server) forget(k *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, k)
	if m := s.byCert[k.cutID]; m != nil {
		if delete(m, k); len(m) == 0 {
			delete(s.byCert, k.cutID)
		}
	}
}

// end asks the connection to end as e says; the first one who asks wins. It does not wait.
func (k *conn) end(e ending) {
	if k.over.CompareAndSwap(nil, &e) {
		close(k.stop)
		k.nc.SetReadDeadline(time.Unix(1, 0)) // wakes the reading goroutine
		k.nc.SetWriteDeadline(k.server.cfg.Now().Add(k.server.cfg.Goodbye))
	}
}

// firstPacket waits for the CONNECT. Source: mqtt sheet 2.1, connect sheet 3.3.
func (k *conn) firstPacket() (header byte, body []byte, refused *ending) {
	wait := k.server.cfg.FirstPacket
	k.nc.SetDeadline(k.server.cfg.Now().Add(wait)) // reading may write: the answer to a Ping frame, or to a new key of TLS
	if k.over.Load() != nil {
		k.nc.SetReadDeadline(time.Unix(1, 0)) // end was faster
	}
	header, body, err := k.in.next()
	for errors.Is(err, errNeedMore) {
		if err = k.in.read(); err == nil {
			header, body, err = k.in.next()
		}
	}
	if err != nil {
		return 0, nil, k.noFirstPacket(err, wait)
	}
	k.nc.SetDeadline(time.Time{})
	if k.over.Load() != nil {
		return 0, nil, k.over.Load()
	}
	return header, body, nil
}

func (k *conn) noFirstPacket(err error, wait time.Duration) *ending {
	if e := k.over.Load(); e != nil {
		return e
	}
	var bad *mqtt.Error
	var frame *websocket.ProtocolError
	var timeout net.Error
	switch {
	case errors.As(err, &bad) && bad.Code == mqtt.PacketTooLarge:
		k.packetTooLarge(bad)
		if bad.Packet == mqtt.TypeConnect {
			k.sawConnect(&ending{reason: clientError})
		}
	case errors.As(err, &bad):
		k.at.Fail(check.MQTTFirstNotConnect, attempt.F("bytes", hex.EncodeToString(k.in.first(16))), attempt.F("reason", bad.Message))
	case errors.As(err, &timeout) && timeout.Timeout():
		k.at.Fail(check.ConnectTimeout, attempt.F("waited", wait.String()), attempt.F("bytes", hex.EncodeToString(k.in.first(16))))
	case errors.As(err, &frame):
		k.at.Fail(check.WebSocketFrame, attempt.F("reason", frame.Reason))
	case k.in.empty():
		k.at.Fail(check.ProtocolClosedBeforeData, attempt.F("error", err.Error()))
	default:
		k.at.Fail(check.MQTTFirstNotConnect, attempt.F("bytes", hex.EncodeToString(k.in.first(16))), attempt.F("reason", "the connection ended inside the first packet"))
	}
	return &ending{reason: clientError}
}

// longestBatch is how many bytes are read at most before what they brought about goes out.
const longestBatch = 32 << 10

// run reads and handles packets until the connection ends, and says how, or until it is to rest: then
// it returns nil. Work is flushed before the connection waits for its socket, so what came together goes
// out in one write.
func (k *conn) run() *ending {
	defer k.idle()
	if k.socket != nil {
		k.socket.OnWait(k.idle)
		defer k.socket.OnWait(nil)
	}
	for {
		header, body, err := k.in.next()
		switch {
		case err == nil:
			if k.work == nil {
				k.begin()
			}
			if e := k.handle(header, body); e != nil {
				return e
			}
			if len(k.work.out) > 16<<10 {
				k.flush()
			}
			continue
		case !errors.Is(err, errNeedMore):
			if k.work == nil {
				k.begin()
			}
			e := k.broken(err, header)
			k.sawUnframed(err, e)
			return e
		}
		if k.socket == nil || k.in.total-k.began > longestBatch {
			k.idle()
		}
		if err := k.in.read(); err != nil {
			if k.mayRest() && errors.Is(err, os.ErrDeadlineExceeded) && k.over.Load() == nil {
				return nil
			}
			return k.lost(err)
		}
		k.slowDown(k.in.last)
		if e := k.over.Load(); e != nil {
			return e
		}
	}
}

// slowDown rests as long as the throughput limit says. Excess is delayed, not dropped (mqtt sheet 7, 20).
func (k *conn) slowDown(n int) {
	d := k.pace(n)
	if d <= 0 {
		return
	}
	k.idle()
	k.at.Warn(check.LimitThroughput, attempt.F("required", "512 KiB/s in both directions together"))
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-k.stop:
	}
}

// pace takes n bytes out of the throughput of the connection and tells how long to rest.
func (k *conn) pace(n int) time.Duration {
	r := k.server.cfg.Limits.Throughput
	return k.throughput.Take(r, k.server.cfg.Now(), (n+throughputUnit-1)/throughputUnit)
}

// lost says how the connection ended when reading failed.
func (k *conn) lost(err error) *ending {
	if e := k.over.Load(); e != nil {
		return e
	}
	var frame *websocket.ProtocolError
	switch {
	case errors.Is(err, websocket.ErrClosed): // a Close frame is as good as a DISCONNECT: connect sheet 7
		return &ending{reason: clientInitiated, noWill: true, check: check.SessionClosed, evidence: []attempt.Field{attempt.F("offered", "a Close frame")}}
	case errors.As(err, &frame):
		return &ending{reason: clientError, check: check.WebSocketFrame, evidence: []attempt.Field{attempt.F("reason", frame.Reason)}}
	}
	e := lost
	if !errors.Is(err, io.EOF) {
		e.evidence = append(e.evidence, attempt.F("error", err.Error()))
	}
	e.evidence = append(e.evidence, k.lastPacketField())
	return &e
}

func (k *conn) lastPacketField() attempt.Field {
	heard := time.Unix(0, k.lastHeard.Load())
	ago := k.server.cfg.Now().Sub(heard).Round(100 * time.Millisecond)
	return attempt.F("last_packet", fmt.Sprintf("%s, %s ago", mqtt.PacketType(k.lastPacket.Load()), ago))
}

// due is asked by the wheel at or after the time when the keep-alive could have passed. It ends the
// connection, or returns when to ask again. Source: mqtt sheet 14.
func (k *conn) due(now time.Time) time.Time {
	if k.over.Load() != nil {
		return time.Time{}
	}
	k.client.Sweep(now)
	if e, over := k.info.Lifetime.over(k.opened, now); over {
		k.end(e)
		return time.Time{}
	}
	next := time.Unix(0, k.lastHeard.Load()).Add(k.keepAlive)
	if next.After(now) {
		return k.info.Lifetime.next(k.sendToRest(now, next))
	}
	k.end(ending{code: mqtt.KeepAliveTimeout, reason: keepAliveOver, check: check.SessionKeepaliveExpired, evidence: []attempt.Field{
		attempt.F("keep_alive", strconv.Itoa(int(k.keepAliveAsk))), attempt.F("waited", k.keepAlive.String()), k.lastPacketField(),
	}})
	return time.Time{}
}

// part ends the connection as e says: session, will, record, DISCONNECT, close_notify.
func (k *conn) part(e ending) {
	k.end(e) // wakes whoever writes; keeps an earlier ending
	s := k.server
	if k.custom != nil {
		k.custom.Release()
	}
	if k.client != nil {
		s.deadlines.remove(k)
		k.depart(e) // before the next connection of the client ID can miss this one
		k.lastWill(e)
		s.count(k, -1)
		k.announceDisconnected(e.reason)
		k.sawDisconnect(e)
		k.recordDrops()
		k.at.Set("published", strconv.FormatInt(k.published, 10))
		k.at.Set("connected_for", s.cfg.Now().Sub(k.opened).Round(time.Millisecond).String())
	}
	if e.check != nil {
		switch {
		case e.note:
			k.at.Warn(e.check, e.evidence...)
		case e.check.Severity == check.Step:
			k.at.Pass(e.check, e.evidence...)
		default:
			k.at.Fail(e.check, e.evidence...)
		}
	}
	if e.reason != "" {
		k.at.Set("disconnect_reason", string(e.reason))
	}
	k.nc.SetWriteDeadline(s.cfg.Now().Add(s.cfg.Goodbye))
	last := e.answer
	if k.client != nil {
		if k.version == mqtt.V5 && e.code != 0 {
			last = k.goodbye(last, e.code)
		}
		k.client.Finish(last)
	} else if len(last) > 0 {
		_, _ = k.nc.Write(last) // an error means that the device is gone already
	}
	if c, ok := k.nc.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite() // likewise
	}
	k.in.release()
	k.nc.SetReadDeadline(time.Time{}) // the caller drains what is still under way
	s.cfg.Log.LogAttrs(context.Background(), slog.LevelDebug, "connection ended",
		slog.String("client_id", k.clientID), slog.String("reason", string(e.reason)), slog.String("attempt", k.at.ID()))
}

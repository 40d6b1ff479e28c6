package server

import (
	"fmt"

	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/mqttconn"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
)

// openMessages opens the log of sessions and messages in the data folder.
func (s *Server) openMessages() (messagelog.Log, error) {
	durability, err := messagelog.ParseDurability(s.cfg.Durability)
	if err != nil {
		return nil, err
	}
	l, err := messagelog.Open(messagelog.Options{Dir: s.dir.file("messages"), Durability: durability, Log: s.cfg.Log})
	if err != nil {
		return nil, fmt.Errorf("open the messages: %w", err)
	}
	return l, nil
}

// openBroker makes the broker, with the sessions that the log has.
func (s *Server) openBroker(limits mqttconn.Limits) (*broker.Broker, error) {
	b := broker.New(broker.Config{
		Log: s.messages, Machine: s.cfg.Log, Queued: mqttconn.ObserveQueued(s.observe),
		SessionExpiry: limits.SessionExpiry, QueueMessages: limits.SessionQueue, QueueBytes: limits.SessionBytes,
		QueueRate: limits.QueuedAccount, DrainRate: limits.SessionDrain, SharedRate: limits.SharedDrain,
	})
	if err := b.Restore(); err != nil {
		b.Close()
		return nil, fmt.Errorf("read the sessions: %w", err)
	}
	return b, nil
}

package iotdata

import (
	"context"
	"errors"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/mqttconn"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
)

// retained are the retained messages: [mqttconn.Server]. Those of its errors that a client may see are in [mapError].
type retained interface {
	RetainedMessage(topic string) (mqttconn.RetainedMessage, error)
	RetainedMessages(after string, most int) ([]messagelog.RetainedSummary, error)
}

// GetRetainedMessage returns the retained message of a topic. Source: connect sheet 6.2.
func (h Handlers) GetRetainedMessage(_ context.Context, in *GetRetainedMessageRequest) (*GetRetainedMessageResponse, error) {
	m, err := h.Retained.RetainedMessage(in.Topic)
	if errors.Is(err, mqttconn.ErrNoRetained) {
		return nil, ResourceNotFoundException("No retained message found for topic %s.", in.Topic)
	} else if err != nil {
		return nil, err
	}
	qos := int32(m.QoS)
	return &GetRetainedMessageResponse{
		Topic: &m.Topic, Payload: m.Payload, Qos: &qos, LastModifiedTime: milliseconds(m.Modified), UserProperties: userPropertiesJSON(m.UserProperties),
	}, nil
}

// pageOfRetained is the default of maxResults, and its greatest value.
const pageOfRetained = 200

// ListRetainedMessages lists the topics that have a retained message, in their order. Source: connect sheet 6.2.
func (h Handlers) ListRetainedMessages(ctx context.Context, in *ListRetainedMessagesRequest) (*ListRetainedMessagesResponse, error) {
	page, err := api.ReadPage(ctx, in.NextToken, in.MaxResults, pageOfRetained)
	if err != nil {
		return nil, err
	}
	list, err := h.Retained.RetainedMessages(page.After, page.Size+1)
	if err != nil {
		return nil, err
	}
	more := len(list) > page.Size
	if more {
		list = list[:page.Size]
	}
	out := &ListRetainedMessagesResponse{RetainedTopics: []RetainedMessageSummary{}}
	for _, m := range list {
		size, qos := int64(m.PayloadSize), int32(m.QoS)
		out.RetainedTopics = append(out.RetainedTopics, RetainedMessageSummary{Topic: &m.Topic, PayloadSize: &size, Qos: &qos, LastModifiedTime: milliseconds(m.Modified)})
	}
	if more {
		out.NextToken = page.Next(true, list[len(list)-1].Topic)
	}
	return out, nil
}

package iot

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// TagResource sets tags of a resource; others stay.
func (h Handlers) TagResource(ctx context.Context, in *TagResourceRequest) (*TagResourceResponse, error) {
	if err := h.Registry.TagResource(ctx, in.ResourceArn, tagsIn(in.Tags)); err != nil {
		return nil, err
	}
	return &TagResourceResponse{}, nil
}

// UntagResource removes tags of a resource.
func (h Handlers) UntagResource(ctx context.Context, in *UntagResourceRequest) (*UntagResourceResponse, error) {
	if err := h.Registry.UntagResource(ctx, in.ResourceArn, in.TagKeys); err != nil {
		return nil, err
	}
	return &UntagResourceResponse{}, nil
}

// ListTagsForResource answers the tags of a resource by key.
func (h Handlers) ListTagsForResource(ctx context.Context, in *ListTagsForResourceRequest) (*ListTagsForResourceResponse, error) {
	page, err := api.ReadPage(ctx, in.NextToken, nil, thingPage, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	list, err := h.Registry.ListTags(ctx, in.ResourceArn, registry.Page{Size: page.Size, After: page.After})
	if err != nil {
		return nil, err
	}
	out := &ListTagsForResourceResponse{NextToken: page.Next(list.Next != "", list.Next)}
	for _, tag := range list.Items {
		out.Tags = append(out.Tags, Tag{Key: tag.Key, Value: &tag.Value})
	}
	return out, nil
}

// tagsIn reads the tags of a request; a tag without value has an empty one.
func tagsIn(tags []Tag) []registry.Tag {
	list := make([]registry.Tag, len(tags))
	for i, tag := range tags {
		list[i] = registry.Tag{Key: tag.Key, Value: api.OrZero(tag.Value)}
	}
	return list
}

/* SPDX-License-Identifier: MIT */
/* test_heap.c - the queue of timers, and the ring list. */
#include "tests/lib/t.h"

#include "shared/base/heap.h"
#include "shared/base/list.h"

enum {
	N = 500
};

/* Every parent is at most its children, and every node knows its place. */
static void
check_order(const struct heap *h)
{
	for (size_t i = 0; i < h->n; i++) {
		assert_int_equal(h->v[i]->at, i + 1);
		if (i > 0)
			assert_true(h->v[(i - 1) / 2]->key <= h->v[i]->key);
	}
}

static void
test_sorts(void **state)
{
	static struct heap_node nodes[N];
	int64_t last = INT64_MIN;
	size_t n = 0;
	struct heap h;

	(void)state;
	heap_init(&h);
	assert_null(heap_min(&h));
	for (size_t i = 0; i < N; i++) {
		assert_false(heap_has(&nodes[i]));
		heap_push(&h, &nodes[i], (int64_t)(i * 7919 % 100) - 50);
		assert_true(heap_has(&nodes[i]));
		check_order(&h);
	}
	for (struct heap_node *min; (min = heap_min(&h)) != NULL; n++) {
		assert_true(min->key >= last);
		last = min->key;
		heap_remove(&h, min);
		assert_false(heap_has(min));
		check_order(&h);
	}
	assert_int_equal(n, N);
	heap_fini(&h);
}

static void
test_removes_from_the_middle(void **state)
{
	static struct heap_node nodes[N];
	uint32_t seed = 3;
	struct heap h;

	(void)state;
	memset(nodes, 0, sizeof(nodes));
	heap_init(&h);
	for (size_t turn = 0; turn < 20000; turn++) {
		struct heap_node *node;

		seed = seed * 1664525 + 1013904223;
		node = &nodes[(seed >> 8) % N];
		if (heap_has(node))
			heap_remove(&h, node);
		else
			heap_push(&h, node, (int64_t)(seed >> 20));
		if (turn % 16 == 0)
			check_order(&h);
	}
	check_order(&h);
	heap_fini(&h);
	for (size_t i = 0; i < N; i++)
		assert_false(heap_has(&nodes[i]));
}

static void
test_misuse(void **state)
{
	struct heap_node node = { 0 };
	struct heap h;

	(void)state;
	heap_init(&h);
	heap_remove(&h, &node);
	heap_push(&h, &node, 1);
	assert_dies(heap_push(&h, &node, 2));
	heap_remove(&h, &node);
	heap_remove(&h, &node);
	assert_int_equal(h.n, 0);
	heap_push(&h, &node, INT64_MIN);
	assert_ptr_equal(heap_min(&h), &node);
	heap_fini(&h);
}

static void
test_list(void **state)
{
	struct list head, items[3];
	size_t n = 0;

	(void)state;
	list_init(&head);
	assert_true(list_is_empty(&head));
	list_push_back(&head, &items[1]);
	list_push_back(&head, &items[2]);
	list_push_front(&head, &items[0]);
	LIST_EACH (&head, it, safe) {
		assert_ptr_equal(it, &items[n++]);
		list_remove(it);
		list_remove(it);
	}
	assert_int_equal(n, 3);
	assert_true(list_is_empty(&head));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sorts),
		cmocka_unit_test(test_removes_from_the_middle),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}

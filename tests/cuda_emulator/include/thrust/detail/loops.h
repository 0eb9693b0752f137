// The algorithms as one thread runs them, on random access iterators with real references.
// Thrust and CUB are made of these.
#ifndef CUDA_EMULATOR_THRUST_LOOPS_H
#define CUDA_EMULATOR_THRUST_LOOPS_H

#include "thrust/detail/iterators.h"

namespace thrust {
namespace detail {

struct Less {
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
        return a < b;
    }
};
struct Equal {
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
        return a == b;
    }
};
struct Plus {
    template <class A, class B>
    auto operator()(const A& a, const B& b) const {
        return a + b;
    }
};
struct Identity {
    template <class T>
    T&& operator()(T&& value) const {
        return std::forward<T>(value);
    }
};

namespace loops {

template <class I, class T, class Op>
T reduce(I in, ptrdiff_t n, T sum, Op op) {
    for (ptrdiff_t i = 0; i < n; ++i) sum = op(sum, in[i]);
    return sum;
}

// Input and output may be the same.
template <class I, class O, class T, class Op>
void inclusive_scan_from(I in, ptrdiff_t n, O out, T sum, Op op) {
    for (ptrdiff_t i = 0; i < n; ++i) {
        sum = op(sum, in[i]);
        out[i] = sum;
    }
}

template <class I, class O, class Op>
void inclusive_scan(I in, ptrdiff_t n, O out, Op op) {
    if (n <= 0) return;
    value_of<I> sum = in[0];
    out[0] = sum;
    inclusive_scan_from(in + 1, n - 1, out + 1, sum, op);
}

template <class I, class O, class T, class Op>
void exclusive_scan(I in, ptrdiff_t n, O out, T sum, Op op) {
    for (ptrdiff_t i = 0; i < n; ++i) {
        const T next = op(sum, in[i]);
        out[i] = sum;
        sum = next;
    }
}

template <class K, class I, class O, class Same, class Op>
void inclusive_scan_by_key(K keys, ptrdiff_t n, I in, O out, Same same, Op op) {
    if (n <= 0) return;
    value_of<I> sum = in[0];
    value_of<K> key = keys[0];
    out[0] = sum;
    for (ptrdiff_t i = 1; i < n; ++i) {
        value_of<K> next = keys[i];
        sum = same(key, next) ? static_cast<value_of<I>>(op(sum, in[i]))
                              : static_cast<value_of<I>>(in[i]);
        key = next;
        out[i] = sum;
    }
}

template <class K, class I, class O, class T, class Same, class Op>
void exclusive_scan_by_key(K keys, ptrdiff_t n, I in, O out, T initial, Same same, Op op) {
    if (n <= 0) return;
    T sum = initial;
    value_of<K> key = keys[0];
    for (ptrdiff_t i = 0; i < n; ++i) {
        value_of<K> next = keys[i];
        if (!same(key, next)) sum = initial;
        key = next;
        const T after = op(sum, in[i]);
        out[i] = sum;
        sum = after;
    }
}

// Copies what `wanted(i)` wants, and counts it. Works in place.
template <class I, class O, class Wanted>
ptrdiff_t select(I in, ptrdiff_t n, O out, Wanted wanted) {
    ptrdiff_t count = 0;
    for (ptrdiff_t i = 0; i < n; ++i)
        if (wanted(i)) {
            out[count] = in[i];
            ++count;
        }
    return count;
}

// In place: selected values first, then the others, both in their order. scratch: room for n.
template <class I, class Scratch, class Wanted>
ptrdiff_t partition(I data, ptrdiff_t n, Scratch* scratch, Wanted wanted) {
    ptrdiff_t count = 0, others = 0;
    for (ptrdiff_t i = 0; i < n; ++i) {
        if (wanted(i)) {
            if (count != i) data[count] = data[i];
            ++count;
        } else {
            new (scratch + others) Scratch(data[i]);
            ++others;
        }
    }
    for (ptrdiff_t i = 0; i < others; ++i) {
        data[count + i] = scratch[i];
        scratch[i].~Scratch();
    }
    return count;
}

// The first of each run of equal values.
template <class I, class O, class Same>
ptrdiff_t unique(I in, ptrdiff_t n, O out, Same same) {
    if (n <= 0) return 0;
    value_of<I> before = in[0];
    out[0] = before;
    ptrdiff_t count = 1;
    for (ptrdiff_t i = 1; i < n; ++i) {
        value_of<I> value = in[i];
        if (!same(before, value)) {
            out[count] = value;
            ++count;
        }
        before = value;
    }
    return count;
}

template <class K, class V, class KO, class VO, class Same>
ptrdiff_t unique_by_key(K keys, ptrdiff_t n, V values, KO keys_out, VO values_out, Same same) {
    if (n <= 0) return 0;
    value_of<K> before = keys[0];
    keys_out[0] = before;
    values_out[0] = values[0];
    ptrdiff_t count = 1;
    for (ptrdiff_t i = 1; i < n; ++i) {
        value_of<K> key = keys[i];
        if (!same(before, key)) {
            keys_out[count] = key;
            values_out[count] = values[i];
            ++count;
        }
        before = key;
    }
    return count;
}

template <class K, class V, class KO, class VO, class Same, class Op>
ptrdiff_t reduce_by_key(K keys, ptrdiff_t n, V values, KO keys_out, VO values_out, Same same,
                        Op op) {
    ptrdiff_t count = 0;
    for (ptrdiff_t i = 0; i < n; ++count) {
        value_of<K> key = keys[i];
        value_of<K> before = key;
        value_of<V> sum = values[i];
        for (++i; i < n; ++i) {
            value_of<K> next = keys[i];
            if (!same(before, next)) break;
            sum = op(sum, values[i]);
            before = next;
        }
        keys_out[count] = key;
        values_out[count] = sum;
    }
    return count;
}

// The first index for which the predicate holds; n if there is none.
template <class Predicate>
ptrdiff_t find(ptrdiff_t n, Predicate predicate) {
    for (ptrdiff_t i = 0; i < n; ++i)
        if (predicate(i)) return i;
    return n;
}

// The first index of a sorted range whose value is not before (`lower`) or is after `value`.
template <class I, class T, class Compare>
ptrdiff_t bound(I sorted, ptrdiff_t n, const T& value, Compare before, bool lower) {
    ptrdiff_t first = 0;
    while (n > 0) {
        const ptrdiff_t half = n / 2;
        const bool right = lower ? bool(before(sorted[first + half], value))
                                 : !bool(before(value, sorted[first + half]));
        if (right) {
            first += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return first;
}

// --- a stable merge sort ------------------------------------------------------------------

// Stands for the values where only keys are sorted.
struct NoValues {
    struct Value {};
    Value operator[](ptrdiff_t) const { return {}; }
    NoValues operator+(ptrdiff_t) const { return {}; }
};

template <class V>
struct SortedValue {
    using type = value_of<V>;
};
template <>
struct SortedValue<NoValues> {
    using type = NoValues::Value;
};

inline size_t align_up(size_t bytes) { return (bytes + 255) / 256 * 256; }

// Memory that stable_sort needs.
template <class K, class V = NoValues>
size_t sort_scratch(ptrdiff_t n) {
    const size_t half = static_cast<size_t>(n) / 2 + 1;
    return align_up(half * sizeof(value_of<K>)) + half * sizeof(typename SortedValue<V>::type);
}

template <class V>
void put(V values, ptrdiff_t to, typename SortedValue<V>::type value) {
    values[to] = std::move(value);
}
inline void put(NoValues, ptrdiff_t, NoValues::Value) {}

template <class K, class V, class Compare>
void insertion_sort(K keys, V values, ptrdiff_t first, ptrdiff_t last, Compare& before) {
    for (ptrdiff_t i = first + 1; i < last; ++i) {
        value_of<K> key = keys[i];
        if (!before(key, static_cast<value_of<K>>(keys[i - 1]))) continue;
        typename SortedValue<V>::type value = values[i];
        ptrdiff_t to = i;
        for (; to > first && before(key, static_cast<value_of<K>>(keys[to - 1])); --to) {
            keys[to] = static_cast<value_of<K>>(keys[to - 1]);
            put(values, to, values[to - 1]);
        }
        keys[to] = key;
        put(values, to, value);
    }
}

// Sorts keys, and values along with them. scratch: sort_scratch() bytes.
template <class K, class V, class Compare>
void stable_sort(K keys, V values, ptrdiff_t n, void* scratch, Compare before) {
    using Key = value_of<K>;
    using Value = typename SortedValue<V>::type;
    const ptrdiff_t run = 12;
    for (ptrdiff_t first = 0; first < n; first += run)
        insertion_sort(keys, values, first, first + run < n ? first + run : n, before);
    Key* left_keys = static_cast<Key*>(scratch);
    Value* left_values = reinterpret_cast<Value*>(
        static_cast<char*>(scratch) +
        align_up((static_cast<size_t>(n) / 2 + 1) * sizeof(Key)));
    // The shorter of two runs is kept aside and merged back; lengths are such that it is never
    // more than half of all
    for (ptrdiff_t width = run; width < n; width *= 2) {
        for (ptrdiff_t first = 0; first + width < n; first += 2 * width) {
            const ptrdiff_t middle = first + width;
            const ptrdiff_t last = middle + width < n ? middle + width : n;
            if (!before(static_cast<Key>(keys[middle]), static_cast<Key>(keys[middle - 1])))
                continue;
            if (width <= last - middle) {
                for (ptrdiff_t i = 0; i < width; ++i) {
                    new (left_keys + i) Key(keys[first + i]);
                    new (left_values + i) Value(values[first + i]);
                }
                ptrdiff_t left = 0, right = middle, to = first;
                while (left < width && right < last) {
                    if (before(static_cast<Key>(keys[right]), left_keys[left])) {
                        keys[to] = static_cast<Key>(keys[right]);
                        put(values, to++, values[right++]);
                    } else {
                        keys[to] = left_keys[left];
                        put(values, to++, left_values[left++]);
                    }
                }
                for (; left < width; ++left, ++to) {
                    keys[to] = left_keys[left];
                    put(values, to, left_values[left]);
                }
                for (ptrdiff_t i = 0; i < width; ++i) {
                    left_keys[i].~Key();
                    left_values[i].~Value();
                }
            } else {
                const ptrdiff_t aside = last - middle;
                for (ptrdiff_t i = 0; i < aside; ++i) {
                    new (left_keys + i) Key(keys[middle + i]);
                    new (left_values + i) Value(values[middle + i]);
                }
                ptrdiff_t left = middle, right = aside, to = last;
                while (left > first && right > 0) {
                    --to;
                    if (before(left_keys[right - 1], static_cast<Key>(keys[left - 1]))) {
                        keys[to] = static_cast<Key>(keys[left - 1]);
                        put(values, to, values[left - 1]);
                        --left;
                    } else {
                        keys[to] = left_keys[right - 1];
                        put(values, to, left_values[right - 1]);
                        --right;
                    }
                }
                while (right > 0) {
                    --right;
                    --to;
                    keys[to] = left_keys[right];
                    put(values, to, left_values[right]);
                }
                for (ptrdiff_t i = 0; i < aside; ++i) {
                    left_keys[i].~Key();
                    left_values[i].~Value();
                }
            }
        }
    }
}

// Two sorted ranges into one; of equal elements those of the first come first.
template <class A, class B, class O, class Compare>
void merge(A a, ptrdiff_t na, B b, ptrdiff_t nb, O out, Compare before) {
    ptrdiff_t i = 0, j = 0, to = 0;
    while (i < na && j < nb) {
        if (before(b[j], a[i]))
            out[to++] = b[j++];
        else
            out[to++] = a[i++];
    }
    while (i < na) out[to++] = a[i++];
    while (j < nb) out[to++] = b[j++];
}

}  // namespace loops
}  // namespace detail
}  // namespace thrust

#endif
